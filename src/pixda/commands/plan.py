"""``pixda plan``: the options of ``pixda train``, and the size of the card."""

from collections.abc import Sequence

from pixda.options import as_training, method_and_preset, parse, train_parser
from pixda.shipped import with_config


def plan(words: Sequence[str]) -> None:
    """Say how much memory a run takes, which cards it fits on, and with which options."""
    words = with_config(words)
    method, preset = method_and_preset(words)
    parser = train_parser(method, preset, "plan")
    parser.add_argument(
        "--card", type=float | None, default=None, help="Gigabytes of the card to plan for; null: the card found here."
    )
    given = parse(parser, words)
    training = as_training(method, preset, given)
    from pixda.planning.cards import CARDS, card_here, needs
    from pixda.planning.cards import plan as fitted
    from pixda.report.plan import print_plan

    card = card_here() if given.card is None else given.card
    found = needs(training.experiment, training.recipe)
    batch = training.recipe.batch
    plans = [fitted(found, batch, gigabytes) for gigabytes in sorted({*CARDS, card})]
    print_plan(found, plans, batch, card)
