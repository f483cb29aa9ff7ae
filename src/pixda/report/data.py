"""The data of a run, opened again for a report; or a sentence that says why it cannot be."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pixda.config import Experiment
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.dataset import SegmentationDataset
from pixda.data.open import open_dataset, open_test
from pixda.data.sources import Sources
from pixda.errors import UserError
from pixda.report.runs import RunFolder

_Opened = TypeVar("_Opened")


@dataclass(frozen=True)
class Material:
    """What a report can look at; None where it is gone, with a sentence in ``missing``."""

    sources: Sources | None
    """At the training size."""
    shots: SegmentationDataset | None
    """At the training size."""
    test: SegmentationDataset | None
    """As stored."""
    shares: dict[str, float] | None
    """Class -> its share of the labelled pixels of the target's training split, 0..1."""
    missing: list[str]


def open_material(run: RunFolder, cache: Path) -> Material:
    """Open the data that a run was made with. Nothing is rendered or downloaded.

    Args:
        run: of any method.
        cache: folder that remembers what was counted in the masks.
    """
    experiment, classes = run.training.experiment, run.classes
    missing: list[str] = []

    def attempt(what: str, data: Data, use: Callable[[], _Opened]) -> _Opened | None:
        try:
            _at_hand(data)
            return use()
        except (UserError, OSError) as error:
            missing.append(f"{what} could not be read again: {error}")
            return None

    target = experiment.target
    sources = attempt("The source", experiment.source, lambda: _sources(experiment, classes))
    shots = attempt("The shots", target, lambda: open_dataset(target, classes, experiment.size).subset(list(run.shots)))
    test = None
    if target.test_split is not None:
        scored = replace(target, split=target.test_split)
        test = attempt("The scored frames", scored, lambda: open_test(target, classes))
    shares = attempt("The pixels of the target", target, lambda: _shares(target, classes, cache)) if shots else None
    return Material(sources, shots, test, shares, missing)


def _sources(experiment: Experiment, classes: ClassSet) -> Sources:
    for one in experiment.sources():
        _at_hand(one)
    return Sources([open_dataset(one, classes, experiment.size) for one in experiment.sources()])


def _shares(target: Data, classes: ClassSet, cache: Path) -> dict[str, float]:
    pixels = check(open_dataset(target, classes), cache).pixels
    return {name: count / max(sum(pixels), 1) for name, count in zip(classes.names, pixels, strict=True)}


def _at_hand(data: Data) -> None:
    """Raise UserError where the files are not there; a street world would be rendered anew by opening it."""
    root = data.root.expanduser()
    if not root.is_dir():
        here = "" if root.is_absolute() else f" in {Path.cwd()}"
        raise UserError(f"there is no folder {data.root}{here}.")
    if data.dataset == "streets":
        world = data.streets
        gap = world.gap if data.split == "rendered" else 0.0
        width, height = world.size
        frames = f"{data.split}-seed{world.seed}-gap{gap:g}-{width}x{height}-v*/images/*.jpg"
        if len(list(root.glob(frames))) < world.count:
            raise UserError(f"the frames of its street world are no longer in {data.root}.")
