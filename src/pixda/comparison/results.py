"""What a comparison found: a result for each cell, and the seeds of a row put together."""

import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pixda.comparison.grid import Cell, Shots
from pixda.data.classes import ClassSet
from pixda.metrics import Scores, Spread

RARE_SHARE = 0.01
"""A class with less than this share of the labelled training pixels is rare.

Few-shot papers speak of rare classes without a list. One percent is where the 19 classes of Cityscapes part into
stuff and frequent things on one side (the least of them are terrain, person and pole, 1.2 % each) and, on the other,
the ten that baselines fail on: wall, fence, traffic light, traffic sign, rider, truck, bus, train, motorcycle, bicycle.
"""


@dataclass(frozen=True)
class Result:
    """What came of one cell."""

    cell: Cell
    frames: int | None
    """Labelled target frames the run was given; None where it never got so far."""
    scores: Scores | None
    """None where the cell failed or has not been run yet."""
    failure: str | None
    """Why there are no scores, in a sentence; None where there are, or where the cell has not been run."""
    made: Mapping[str, Any] | None = None
    """The account in ``model.json``: version, departures, steps, machine; None without a model."""


@dataclass(frozen=True)
class Comparison:
    """All results of a grid, in its order, and what they have in common."""

    title: str
    results: Sequence[Result]
    classes: ClassSet
    shares: Mapping[str, Mapping[str, float]]
    """Split -> class -> its share of the labelled pixels in the target's training set, 0..1."""
    protocol: Mapping[str, str]
    """What the numbers rest on, for the protocol card: a heading and its text."""
    folds: Mapping[str, int] = field(default_factory=dict)
    """Split -> K, for splits that are scored by K folds of the shots; the others have a test set."""


@dataclass(frozen=True)
class Group:
    """All seeds of one row, with one number of shots, in one split.

    The spreads are over the seeds that have scores; ``scored`` of ``len(results)`` says how many these are, and
    whoever shows a spread shows that, too, where the two differ.
    """

    split: str
    row: str
    shots: Shots
    results: Sequence[Result]
    """One a seed, in the order of the grid."""
    iou: Mapping[str, Spread]
    """Class to IoU, 0..1; ``count`` is 0 for a class without ground truth."""
    mean: Mapping[str, Spread]
    """Protocol ("19", "16", "13") to mean IoU, 0..1."""
    rare: Spread
    """Mean IoU of the split's rare classes that have ground truth: of each seed first, then over the seeds."""

    @property
    def scored(self) -> int:
        """Number of seeds that have scores."""
        return sum(result.scores is not None for result in self.results)

    @property
    def complete(self) -> bool:
        """Whether every seed has scores."""
        return self.scored == len(self.results)

    @property
    def frames(self) -> int | None:
        """Labelled target frames of a run: the most, should the seeds differ; None where no run got so far."""
        return max((result.frames for result in self.results if result.frames is not None), default=None)

    @property
    def state(self) -> str:
        """``3 seeds``, ``2 of 3 seeds``, ``failed`` (no scores, at least one failure) or ``not run``."""
        total = len(self.results)
        if self.scored:
            return f"{total} seed{'s' * (total > 1)}" if self.complete else f"{self.scored} of {total} seeds"
        return "failed" if any(result.failure for result in self.results) else "not run"


@dataclass(frozen=True)
class Failure:
    """Seeds of one row, with one number of shots, that failed for one reason."""

    split: str
    row: str
    shots: Shots
    seeds: Sequence[int]
    why: str


def summarise(comparison: Comparison) -> list[Group]:
    """The groups of a comparison, in the order in which the grid first names them."""
    cells: dict[tuple[str, str, Shots], list[Result]] = {}
    for result in comparison.results:
        cells.setdefault((result.cell.split, result.cell.row, result.cell.shots), []).append(result)
    groups = []
    for (split, row, shots), results in cells.items():
        scores = [result.scores for result in results if result.scores is not None]
        rare = rare_classes(comparison.shares.get(split, {}))
        groups.append(
            Group(
                split,
                row,
                shots,
                results,
                {name: Spread.of(one.iou[name] for one in scores) for name in comparison.classes.names},
                {name: Spread.of(one.mean[name] for one in scores) for name in comparison.classes.protocols},
                Spread.of(rare_mean(one, rare) for one in scores),
            )
        )
    return groups


_Key = TypeVar("_Key", bound=Hashable)


def grouped(groups: Iterable[Group], key: Callable[[Group], _Key]) -> dict[_Key, list[Group]]:
    """The groups by what ``key`` gives for each (split, shots, row), in their order."""
    found: dict[_Key, list[Group]] = {}
    for group in groups:
        found.setdefault(key(group), []).append(group)
    return found


def by_split(comparison: Comparison) -> dict[str, list[Group]]:
    """The groups of each split, in the order of the grid."""
    return grouped(summarise(comparison), lambda group: group.split)


def rare_classes(shares: Mapping[str, float], limit: float = RARE_SHARE) -> tuple[str, ...]:
    """The classes that exist and have less than ``limit`` of the pixels, in the order of ``shares``.

    Args:
        shares: class -> share of the labelled pixels of the target's whole *training* set, 0..1. Never of the shots,
            which differ between runs, and never of the test set.
        limit: 0..1; a class right at the limit is not rare, one without any pixel is absent and not rare either.
    """
    return tuple(name for name, share in shares.items() if 0 < share < limit)


def rare_mean(scores: Scores, rare: Iterable[str]) -> float | None:
    """Mean IoU, 0..1, of those classes of ``rare`` that have ground truth; None where none has."""
    present = [value for name in rare if (value := scores.iou[name]) is not None]
    return statistics.mean(present) if present else None


def failures(comparison: Comparison) -> list[Failure]:
    """What failed, one entry for all seeds of a group that failed alike."""
    found: dict[tuple[str, str, Shots, str], list[int]] = {}
    for result in comparison.results:
        if result.failure is not None:
            cell = result.cell
            found.setdefault((cell.split, cell.row, cell.shots, result.failure), []).append(cell.seed)
    return [Failure(split, row, shots, seeds, why) for (split, row, shots, why), seeds in found.items()]


def progress(comparison: Comparison) -> str:
    """``12 of 15 runs have scores, 1 failed, 2 are not run.``"""
    total = len(comparison.results)
    scored = sum(result.scores is not None for result in comparison.results)
    failed = sum(result.failure is not None for result in comparison.results)
    parts = [f"{scored} of {total} runs have scores" if scored < total else f"All {total} runs have scores"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{total - scored - failed} not run yet"] if scored + failed < total else []
    return f"{', '.join(parts)}."
