"""``pixda train``: its options depend on the method and the preset."""

from collections.abc import Sequence

from pixda.errors import UserError
from pixda.options import read_training
from pixda.shipped import with_config


def train(words: Sequence[str]) -> None:
    """Train a method: pixda train streets_to_camvid/joint --out runs/first."""
    given = read_training(with_config(words))
    if given.out is None:
        raise UserError("--out is needed: the folder that the run is kept in, such as --out runs/first.")
    from pixda.machine.faults import card_of
    from pixda.report import print_scores
    from pixda.report.plan import advice
    from pixda.training.experiment import run

    try:
        scores = run(given.experiment, given.recipe, given.method, given.preset, given.out, given.resume)
    except UserError as error:
        if (card := card_of(error)) is None:
            raise
        raise type(error)(f"{error} {advice(given.experiment, given.recipe, card)}") from error
    if scores is not None:
        print_scores({f"{given.method} ({given.preset})": scores})
