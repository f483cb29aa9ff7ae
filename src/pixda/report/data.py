"""The data of a run, opened again for a report; or a sentence that says why it cannot be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

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

    def attempt(what: str, data: Sequence[Data], use: Callable[[], _Opened]) -> _Opened | None:
        try:
            for one in data:
                _at_hand(one)
            return use()
        except (UserError, OSError) as error:
            missing.append(f"{what} could not be read again: {error}")
            return None

    def trained_on(data: Data) -> SegmentationDataset:
        return open_dataset(data, classes, experiment.size)

    given, target = experiment.sources(), experiment.target
    sources = attempt("The source", given, lambda: Sources([trained_on(one) for one in given]))
    shots = attempt("The shots", [target], lambda: trained_on(target).subset(list(run.shots)))
    test = None
    if target.test_split is not None:
        scored = replace(target, split=target.test_split)
        test = attempt("The scored frames", [scored], lambda: open_test(target, classes))
    shares = attempt("The pixels of the target", [target], lambda: _shares(target, classes, cache)) if shots else None
    return Material(sources, shots, test, shares, missing)


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
