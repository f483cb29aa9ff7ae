"""What all forms of the tables have in common: which columns, in which order, what is best, what a cell says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pixda.comparison.rare import RARE_SHARE, rare_classes
from pixda.comparison.results import Comparison
from pixda.comparison.summary import Group
from pixda.metrics import Spread, percent


@dataclass(frozen=True)
class Column:
    """A class, or a mean over classes."""

    kind: Literal["class", "mean", "rare"]
    name: str
    """Of the class or the protocol; of the mean over rare classes "rare"."""
    is_rare: bool = False
    """A rare class."""

    @property
    def head(self) -> str:
        """What stands above it."""
        return self.name if self.kind == "class" else f"mIoU {self.name}"

    def of(self, group: Group) -> Spread:
        """What it shows of a group."""
        if self.kind == "rare":
            return group.rare
        return (group.iou if self.kind == "class" else group.mean)[self.name]


def class_columns(comparison: Comparison, split: str) -> list[Column]:
    """A column for each class, in the order of the class set."""
    rare = rare_classes(comparison.shares.get(split, {}))
    return [Column("class", name, name in rare) for name in comparison.classes.names]


def mean_columns(comparison: Comparison, split: str) -> list[Column]:
    """The mean over all classes, those over the class set's other protocols, and the one over rare classes."""
    means = [Column("mean", protocol) for protocol in comparison.classes.protocols]
    return [*means, Column("rare", "rare")] if rare_classes(comparison.shares.get(split, {})) else means


def overview_columns(comparison: Comparison, split: str) -> list[Column]:
    """The mean over all classes and the one over rare classes; other protocols are for the tables by class."""
    everything = str(len(comparison.classes.names))
    return [c for c in mean_columns(comparison, split) if c.kind == "rare" or c.name == everything]


def best(groups: Sequence[Group], column: Column) -> list[bool]:
    """Which groups show the highest mean of a column; ties, as printed, all do.

    Only groups with scores from every seed compete, for another seed is often worth more than another method; and
    nobody wins alone.
    """
    shown = [percent(column.of(group).mean) if group.complete else "–" for group in groups]
    competing = [float(value) for value in shown if value != "–"]
    return [len(competing) > 1 and value != "–" and float(value) == max(competing) for value in shown]


def number(spread: Spread, seeds: int, plus_minus: str = " ± ", few: str = " ({} of {} seeds)") -> str:
    """``42.1 ± 1.2``, in percent; a dash where there is no ground truth; without ``± …`` for one seed.

    Args:
        spread: of IoU, 0..1.
        seeds: how many seeds go without saying; where fewer count, ``few`` follows.
        plus_minus: between mean and standard deviation; "" leaves the latter out.
        few: has places for how many seeds count and how many should.
    """
    text = percent(spread.mean)
    if plus_minus and spread.std is not None:
        text += f"{plus_minus}{percent(spread.std)}"
    return text + few.format(spread.count, seeds) if 0 < spread.count < seeds else text


def overview_cell(column: Column, group: Group | None, plus_minus: str = " ± ", few: str = " ({} of {} seeds)") -> str:
    """A number; how far a group without scores is; nothing where a row is not compared at these shots."""
    if group is None:
        return ""
    return number(column.of(group), len(group.results), plus_minus, few) if group.scored else group.state


def counted(count: int, what: str) -> str:
    """``1 shot``, ``2 shots``."""
    return f"{count} {what}{'s' * (count != 1)}"


def shots_label(groups: Iterable[Group]) -> str:
    """``1 shot (18 frames)`` for groups with the same shots; the number of frames where runs have told it."""
    groups = list(groups)
    shots = counted(groups[0].shots, "shot")
    frames = sorted({group.frames for group in groups if group.frames})
    if not frames:
        return shots
    return f"{shots} ({counted(frames[0], 'frame') if len(frames) == 1 else f'{frames[0]}–{frames[-1]} frames'})"


def by_split(groups: Iterable[Group]) -> dict[str, list[Group]]:
    """Groups by split, in their order."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.split, []).append(group)
    return found


def by_shots(groups: Iterable[Group]) -> dict[int, list[Group]]:
    """Groups by number of shots, in their order."""
    found: dict[int, list[Group]] = {}
    for group in groups:
        found.setdefault(group.shots, []).append(group)
    return found


def by_row(groups: Iterable[Group]) -> dict[str, dict[int, Group]]:
    """Groups of one split by row, then by number of shots, in their order."""
    found: dict[str, dict[int, Group]] = {}
    for group in groups:
        found.setdefault(group.row, {})[group.shots] = group
    return found


def rare_note(comparison: Comparison, split: str) -> str:
    """Which classes are rare in a split, with their shares; "" where nothing is known about its pixels."""
    shares = comparison.shares.get(split)
    if not shares:
        return ""
    rare = rare_classes(shares)
    listed = ", ".join(f"{name} ({100 * shares[name]:.2g} %)" for name in rare) or "none"
    limit = f"less than {100 * RARE_SHARE:g} % of the labelled pixels of the target's training set"
    return f"Rare classes ({limit}): {listed}."
