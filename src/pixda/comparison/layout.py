"""What a comparison shows in every format: tables of entries, which of them are best, and the notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pixda.comparison.grid import Shots
from pixda.comparison.results import RARE_SHARE, Comparison, Group, grouped, rare_classes
from pixda.metrics import Spread, percent

NOTE = (
    "IoU in %, mean ± sample standard deviation over the seeds; (2/3): two of three seeds count. Bold: the highest "
    "mean of a column among methods with the same shots and scores from every seed; differences within the standard "
    "deviations mean nothing."
)
"""How to read the tables."""


class Entry(NamedTuple):
    """The text in one place of a table, and whether it is the best of its kind."""

    text: str
    best: bool = False


class Table(NamedTuple):
    """A table in no particular format."""

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
        """Its heading; rare classes have a star."""
        return self.name + "*" * self.is_rare if self.kind == "class" else f"mIoU {self.name}"

    def of(self, group: Group) -> Spread:
        """The number of a group that it shows."""
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
    blocks = grouped(groups, lambda group: group.shots)
    entries = {}
    for block in blocks.values():
        for group, win in zip(block, best(block, column), strict=True):
            text = number(column.of(group), len(group.results)) if group.scored else group.state
            entries[group.row, group.shots] = Entry(text, win)
    rows = []
    for row, of_row in grouped(groups, lambda group: group.row).items():
        scored, planned = sum(group.scored for group in of_row), sum(len(group.results) for group in of_row)
        runs = f"{planned}" if scored == planned else f"{scored} of {planned}"
        # A row may not have all numbers of shots.
        rows.append([Entry(row), *(entries.get((row, shots), Entry("")) for shots in blocks), Entry(runs)])
    return Table([f"{column.head}, %", *map(shots_label, blocks.values()), "runs"], [rows], 1)


def by_class(comparison: Comparison, split: str, groups: Sequence[Group], class_deviations: bool = True) -> Table:
    """The paper's form: a block of rows for each number of shots, methods in rows, a column for each class and mean.

    Without the deviations of the classes it fits on a page.
    """
    shown = columns(comparison, split)
    blocks = []
    for block in grouped(groups, lambda group: group.shots).values():
        entries = [[Entry(text) for text in (shots_label(block), *[""] * (len(block) - 1))]]
        entries.append([Entry(group.row) for group in block])
        for column in shown:
            deviation = class_deviations or column.kind != "class"
            texts = [number(column.of(group), group.scored, deviation) if group.scored else "" for group in block]
            entries.append([Entry(text, win) for text, win in zip(texts, best(block, column), strict=True)])
        entries.append([Entry(group.state) for group in block])
        blocks.append(list(zip(*entries, strict=True)))
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
