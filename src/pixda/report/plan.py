"""What `pixda plan` prints: the memory of every phase, the cards, and what to type."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.table import Table

from pixda.config import Experiment
from pixda.methods.method import Method
from pixda.planning.cards import FREE, FREE_SHARE, Needs, Plan, needs
from pixda.planning.cards import plan as planned
from pixda.terminal import console


def print_plan(found: Needs, plans: Sequence[Plan], batch: int, card: float) -> None:
    """Two tables and a sentence for the card that is planned for, in gigabytes of 2**30 bytes."""
    screen = console()
    phases = Table("phase", "whatever the batch", "each image", f"batch {batch}", box=None)
    phases.add_column("one image at a time")
    phases.add_column("blocks again")
    for memory, again in zip_longest(found.kept, found.again):
        in_parts = "-" if memory.inside is None else _size(memory.of(batch, 1))
        recomputed = "-" if again is None else _size(again.of(batch))
        phases.add_row(memory.phase, *map(_size, (memory.fixed, memory.image, memory.of(batch))), in_parts, recomputed)
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
    screen.print(f"For {card:g} GB: {_todo(chosen, found)}", soft_wrap=True)


def advice(experiment: Experiment, method: Method, card: float) -> str:
    """What a plan says of a run that has filled a card of so many gigabytes."""
    found = needs(experiment, method)
    batch: int = method.batch
    return f"A plan for this card, {card:g} GB: {_todo(planned(found, batch, card), found)}"


def _how(plan: Plan) -> str:
    if not plan.fits:
        return "does not fit"
    ways = [f"{plan.at_a_time} images at a time"] if plan.at_a_time is not None else []
    return ", ".join(["fits", *ways, *(["blocks again"] if plan.recompute else [])])


def _todo(plan: Plan, found: Needs) -> str:
    options = [f"--machine.images_at_a_time {plan.at_a_time}"] if plan.at_a_time is not None else []
    options += ["--machine.recompute_blocks true"] if plan.recompute else []
    if plan.fits:
        if not options:
            return "it fits as it is."
        passes = "one more forward pass" if len(options) == 1 else "two more forward passes"
        return f"add {' '.join(options)}: the same gradients for {passes}."
    if any(memory.inside is None for memory in found.kept):
        return (
            "it does not fit. Batch norm on batch statistics keeps a batch together: with --network.options "
            "'{frozen_statistics: true}' it could go in parts; or lower --recipe.crop, --size or --recipe.batch."
        )
    return "it does not fit, not even one image at a time: lower --recipe.crop or --size."


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GB"
