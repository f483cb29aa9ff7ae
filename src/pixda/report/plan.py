"""What `pixda plan` prints: the memory of every phase, the cards, and what to type."""

from collections.abc import Sequence

from rich.table import Table

from pixda.memory import Memory
from pixda.planning import FREE, FREE_SHARE, Plan
from pixda.terminal import console


def print_plan(memories: Sequence[Memory], plans: Sequence[Plan], batch: int, card: float) -> None:
    """Two tables and a sentence for the card that is planned for, in gigabytes of 2**30 bytes."""
    screen = console()
    phases = Table("phase", "whatever the batch", "each image", f"batch {batch}", "one image at a time", box=None)
    for memory in memories:
        in_parts = "-" if memory.inside is None else _size(memory.of(batch, 1))
        phases.add_row(memory.phase, *map(_size, (memory.fixed, memory.image, memory.of(batch))), in_parts)
    screen.print(phases)
    cards = Table("card", "largest batch at once", f"batch {batch}", box=None)
    for plan in plans:
        cards.add_row(f"{plan.gigabytes:g} GB", str(plan.largest), _how(plan))
    screen.print(cards)
    screen.print(
        f"A card keeps {FREE_SHARE:.0%} and {_size(int(FREE))} for CUDA and for gaps. Sizes are of tensors, counted "
        "on the step itself.",
        soft_wrap=True,
    )
    (chosen,) = (plan for plan in plans if plan.gigabytes == card)
    screen.print(f"For {card:g} GB: {_todo(chosen, memories)}", soft_wrap=True)


def _how(plan: Plan) -> str:
    if not plan.fits:
        return "does not fit"
    return "fits" if plan.at_a_time is None else f"fits, {plan.at_a_time} images at a time"


def _todo(plan: Plan, memories: Sequence[Memory]) -> str:
    if plan.fits and plan.at_a_time is None:
        return "it fits as it is."
    if plan.fits:
        return f"add --machine.images_at_a_time {plan.at_a_time}: the same gradients for one more forward pass."
    if any(memory.inside is None for memory in memories):
        return (
            "it does not fit. Batch norm on batch statistics keeps a batch together: with --network.options "
            "'{frozen_statistics: true}' it could go in parts; or lower --recipe.crop, --size or --recipe.batch."
        )
    return "it does not fit, not even one image at a time: lower --recipe.crop or --size."


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GB"
