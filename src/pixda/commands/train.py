"""``pixda train``: its options depend on the method and the preset."""

from collections.abc import Sequence

from pixda.errors import UserError
from pixda.options import read_training


def train(words: Sequence[str]) -> None:
    """Train a method: pixda train --config configs/streets_to_camvid/pixda.yaml --out runs/first."""
    given = read_training(words)
    if given.out is None:
        raise UserError("--out is needed: the folder that the run is kept in, such as --out runs/first.")
    from pixda.report import print_scores
    from pixda.training.experiment import run

    scores = run(given.experiment, given.recipe, given.method, given.preset, given.out, given.resume)
    print_scores({f"{given.method} ({given.preset})": scores})
