"""What a comparison shows, whatever form it is written in: tables of cells, which of them are best, and the notes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pixda.comparison.results import Comparison, Shots
from pixda.comparison.summary import RARE_SHARE, Group, rare_classes
from pixda.metrics import Spread, percent

NOTE = (
    "IoU in %, mean ± sample standard deviation over the seeds; (2/3): two of three seeds count. Bold: the highest "
    "mean of a column among methods with the same shots and scores from every seed; differences within the standard "
    "deviations mean nothing."
)
"""How to read the tables."""


class Entry(NamedTuple):
    """What stands in one place of a table."""

    text: str
    best: bool = False


class Table(NamedTuple):
    """A table in no particular form."""

    heads: Sequence[str]
    blocks: Sequence[Sequence[Sequence[Entry]]]
    """Rows that belong together."""
    left: int
    """The first so many columns hold words, the others numbers."""


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
        """What stands above it; rare classes have a star."""
        return self.name + "*" * self.is_rare if self.kind == "class" else f"mIoU {self.name}"

    def of(self, group: Group) -> Spread:
        """What it shows of a group."""
        if self.kind == "rare":
            return group.rare
        return (group.iou if self.kind == "class" else group.mean)[self.name]


def columns(comparison: Comparison, split: str) -> list[Column]:
    """The classes, the means of the class set's protocols, and the mean over rare classes where there are any."""
    rare = rare_classes(comparison.shares.get(split, {}))
    return [
        *(Column("class", name, name in rare) for name in comparison.classes.names),
        *(Column("mean", protocol) for protocol in comparison.classes.protocols),
        *([Column("rare", "rare")] if rare else []),
    ]


def overviews(comparison: Comparison, split: str, groups: Sequence[Group]) -> list[Table]:
    """Methods in rows, shots in columns: a table of the mean over all classes, and one of that over rare classes."""
    everything = str(len(comparison.classes.names))
    return [
        _overview(column, groups)
        for column in columns(comparison, split)
        if column.kind == "rare" or (column.kind == "mean" and column.name == everything)
    ]


def _overview(column: Column, groups: Sequence[Group]) -> Table:
    blocks = by_shots(groups)
    wins = {shots: dict(zip((g.row for g in some), best(some, column), strict=True)) for shots, some in blocks.items()}
    rows = []
    for row, of_shots in by_row(groups).items():
        cells = [Entry(row)]
        for shots, won in wins.items():
            group = of_shots.get(shots)  # a row may not be compared at these shots
            text = "" if group is None else group.state
            if group is not None and group.scored:
                text = number(column.of(group), len(group.results))
            cells.append(Entry(text, won.get(row, False)))
        scored = sum(group.scored for group in of_shots.values())
        planned = sum(len(group.results) for group in of_shots.values())
        rows.append([*cells, Entry(f"{planned}" if scored == planned else f"{scored} of {planned}")])
    return Table([f"{column.head}, %", *map(shots_label, blocks.values()), "runs"], [rows], 1)


def by_class(comparison: Comparison, split: str, groups: Sequence[Group], class_deviations: bool = True) -> Table:
    """The paper's form: a block of rows for each number of shots, methods in rows, a column for each class and mean.

    Without the deviations of the classes it fits on a page.
    """
    shown = columns(comparison, split)
    blocks = []
    for block in by_shots(groups).values():
        wins = [best(block, column) for column in shown]
        rows = []
        for place, group in enumerate(block):
            cells = [Entry(shots_label(block) if place == 0 else ""), Entry(group.row)]
            for column, win in zip(shown, wins, strict=True):
                deviation = class_deviations or column.kind != "class"
                text = number(column.of(group), group.scored, deviation) if group.scored else ""
                cells.append(Entry(text, win[place]))
            rows.append([*cells, Entry(group.state)])
        blocks.append(rows)
    return Table(["shots", "method", *(column.head for column in shown), "seeds"], blocks, 2)


def best(groups: Sequence[Group], column: Column) -> list[bool]:
    """Which groups show the highest mean of a column; ties, as printed, all do.

    Only groups with scores from every seed compete, for another seed is often worth more than another method; and
    nobody wins alone.
    """
    shown = [percent(column.of(group).mean) if group.complete else "–" for group in groups]
    competing = [float(value) for value in shown if value != "–"]
    return [len(competing) > 1 and value != "–" and float(value) == max(competing) for value in shown]


def number(spread: Spread, seeds: int, deviation: bool = True) -> str:
    """``42.1 ± 1.2``, in percent, and ``(2/3)`` where fewer than ``seeds`` count; a dash without ground truth."""
    text = percent(spread.mean)
    if deviation and spread.std is not None:
        text += f" ± {percent(spread.std)}"
    return f"{text} ({spread.count}/{seeds})" if 0 < spread.count < seeds else text


def shots_text(shots: Shots) -> str:
    """``1 shot``, ``2 shots``, ``all shots``."""
    return f"{shots} shot{'s' * (shots != 1)}"


def shots_label(groups: Sequence[Group]) -> str:
    """``1 shot (18 frames)`` for groups with the same shots; the number of frames where runs have told it."""
    frames = sorted({group.frames for group in groups if group.frames})
    if not frames:
        return shots_text(groups[0].shots)
    span = f"{frames[0]}" if len(frames) == 1 else f"{frames[0]}–{frames[-1]}"
    return f"{shots_text(groups[0].shots)} ({span} frame{'s' * (span != '1')})"


def by_split(groups: Iterable[Group]) -> dict[str, list[Group]]:
    """Groups by split, in their order."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.split, []).append(group)
    return found


def by_shots(groups: Iterable[Group]) -> dict[Shots, list[Group]]:
    """Groups by number of shots, in their order."""
    found: dict[Shots, list[Group]] = {}
    for group in groups:
        found.setdefault(group.shots, []).append(group)
    return found


def by_row(groups: Iterable[Group]) -> dict[str, dict[Shots, Group]]:
    """Groups of one split by row, then by number of shots, in their order."""
    found: dict[str, dict[Shots, Group]] = {}
    for group in groups:
        found.setdefault(group.row, {})[group.shots] = group
    return found


def folds_note(comparison: Comparison, split: str) -> str:
    """That there is no test set, and what the scores are instead; "" where there is one."""
    folds = comparison.folds.get(split)
    if not folds:
        return ""
    return (
        f"There is no test set: each score is the mean over {folds} folds of the shots. Every shot is scored once, by "
        "a network that was trained without its fold. Other shots are also other scored frames, so that rows can be "
        "compared with each other, and numbers of shots cannot."
    )


def rare_note(comparison: Comparison, split: str) -> str:
    """Which classes are rare in a split, with their shares; "" where nothing is known about its pixels."""
    shares = comparison.shares.get(split)
    if not shares:
        return ""
    rare = rare_classes(shares)
    listed = ", ".join(f"{name} ({100 * shares[name]:.2g} %)" for name in rare) or "none"
    limit = f"less than {100 * RARE_SHARE:g} % of the labelled pixels of the target's training set"
    return f"Rare classes ({limit}): {listed}."
