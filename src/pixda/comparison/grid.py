"""The grid of a comparison: what its file says, and the cells it asks for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import product
from typing import Any, Literal

from jsonargparse import ArgumentParser

from pixda.config import plain
from pixda.errors import UserError
from pixda.methods import METHODS, build
from pixda.options import Training, as_training, parse, train_parser

Shots = int | Literal["all"]
"""Labelled target frames of each city, or every labelled frame."""


@dataclass(frozen=True)
class Cell:
    """One place of the grid."""

    split: str
    """Name of the variant of the data ("small gap"); "" where the grid has one only."""
    row: str
    """Label of the method and its changes ("PixDA without S")."""
    shots: Shots
    seed: int
    """Decides initial weights, order of the data, drawn shots."""


@dataclass(frozen=True)
class Row:
    """A row of the table: a training, or what is made of other rows' networks without training."""

    method: str | None = None
    """source_only, fine_tuning, joint, pixda, or another method."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the grid's, as below ``recipe:`` in a training config."""
    preset: str | None = None
    """Another preset than the grid's."""
    of: list[str] = field(default_factory=list)
    """In place of a method, labels of rows that have one: the network of one, or the mean of the weights of several
    (``pixda average``)."""
    scales: list[float] = field(default_factory=lambda: [1.0])
    """For a row ``of`` others, sizes that the network sees an image at when it is scored; the predictions are
    averaged."""
    flips: bool = False
    """For a row ``of`` others, whether it sees the mirror image at each size, too."""

    @property
    def making(self) -> str:
        """How a row ``of`` others is made of them, for people."""
        mean = "the mean of the weights of " if len(self.of) > 1 else "the network of "
        views = f", seen at the scales {', '.join(f'{scale:g}' for scale in self.scales)}"
        return mean + ", ".join(f"'{label}'" for label in self.of) + views + " and mirrored" * self.flips


@dataclass(frozen=True)
class Grid:
    """Methods x shots x seeds x splits."""

    title: str
    """Heading of the tables."""
    experiment: dict[str, Any]
    """What a training config says beside method and recipe: source, target, classes, size, network, machine. Rows whose
    method learns nothing from ``unlabelled`` frames run without them."""
    rows: dict[str, Row]
    """Label of the row -> method and settings, in the order of the table."""
    shots: list[Shots] = field(default_factory=lambda: [1])
    """Labelled target frames of each city; all: every labelled frame."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Three before a difference is believed."""
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> changes to ``experiment``: other data under the same methods ({large gap: {source: ...}})."""
    folds: int = 3
    """K: where there is no test set (target.test_split is null), every cell is scored by K folds of its shots."""
    preset: str = "paper"
    """Preset of every row that names none."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """Settings of every row whose method has them."""


@dataclass(frozen=True)
class RunOptions:
    """What ``pixda train`` is asked for."""

    training: Training
    values: Mapping[str, Any]
    """The same as the values of a config file."""

    def at(self, shots: Shots, seed: int) -> "RunOptions":
        """The same with so many shots and another seed."""
        experiment = self.training.experiment
        changed = replace(experiment, seed=seed, target=replace(experiment.target, shots=shots))
        own = merged(self.values, {"target": {"shots": shots}, "seed": seed})
        return RunOptions(replace(self.training, experiment=changed), own)


@dataclass(frozen=True)
class Planned:
    """A cell, what is run in it, and the first stage that it starts from."""

    cell: Cell
    run: RunOptions
    first: RunOptions
    """Source only, without the steps that come after: what other cells may have in common with this one."""
    folds: int
    """K, where the cell is scored by K folds of its shots; 0: it has a test set."""
    row: Row
    """The row of the grid. One ``of`` others has the run and the first stage of the first of these."""
    of: Sequence[Cell] = ()
    """The cells whose networks a row ``of`` others takes."""


def plan(grid: Grid) -> list[Planned]:
    """Every cell of the grid, its options read and found right.

    A method that learns nothing from the target's labelled frames has one cell for all numbers of shots, unless it is
    scored on these.

    Raises:
        UserError: the grid is empty somewhere, or the options of a row or split are wrong; the text names it.
    """
    for name in ("rows", "shots", "seeds"):
        if not getattr(grid, name):
            raise UserError(f"The grid has no {name}: give at least one.")
    return list(_planned(grid))


def learns_from_shots(grid: Grid, label: str) -> bool:
    """Whether the labelled target frames change the network of a row."""
    trained = [grid.rows[one].method for one in grid.rows[label].of or [label]]
    return any(method is not None and METHODS[method].learns_from_shots for method in trained)


def _planned(grid: Grid) -> Iterator[Planned]:
    splits = grid.splits or {"": {}}
    for (split, changes), (label, row) in product(splits.items(), grid.rows.items()):
        where = f"Row '{label[:50]}'" + (f", split '{split[:50]}'" if split else "")
        try:
            trained = [_read_row(grid, changes, one) for one in _trained(grid, row)]
            run, first = trained[0]
            if any(not _is_same_stage(first, other) for _, other in trained):
                raise UserError("the rows that it is made 'of' differ in their first stage: such weights have no mean.")
            folds = grid.folds if run.training.experiment.target.test_split is None else 0
            if row.of and folds:
                raise UserError("a row of other rows is scored on a test set, and target.test_split names none.")
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        shots = grid.shots if folds or learns_from_shots(grid, label) else grid.shots[:1]
        for number, seed in product(shots, grid.seeds):
            of = [Cell(split, one, number if learns_from_shots(grid, one) else grid.shots[0], seed) for one in row.of]
            cell = Cell(split, label, number, seed)
            yield Planned(cell, run.at(number, seed), first.at(number, seed), folds, row, of)


def _is_same_stage(one: RunOptions, other: RunOptions) -> bool:
    return (one.training.experiment, one.training.recipe) == (other.training.experiment, other.training.recipe)


def _trained(grid: Grid, row: Row) -> list[Row]:
    """The row itself, or those that it is made of. Raises UserError where it cannot be made of them."""
    if not row.of:
        if row.scales != [1.0] or row.flips:
            raise UserError("scales and flips are for a row 'of' others; give it 'of: [LABEL]' in place of a method.")
        return [row]
    if row.method is not None or row.recipe or row.preset is not None:
        raise UserError("a row 'of' others trains nothing: leave out its method, recipe and preset.")
    trained = [label for label, other in grid.rows.items() if other.method is not None]
    for label in row.of:
        if label not in trained:
            raise UserError(f"there is no row '{label[:50]}' with a method; those are {', '.join(trained) or 'none'}.")
    if len(set(row.of)) < len(row.of):
        raise UserError("'of' names a row twice.")
    from pixda.models.views import check_scales  # torch; the grid's fields are read for --help, too

    check_scales(row.scales)
    return [grid.rows[label] for label in row.of]


def _read_row(grid: Grid, changes: Mapping[str, Any], row: Row) -> tuple[RunOptions, RunOptions]:
    """The run of a row in a split, and its first stage."""
    if row.method is None:
        raise UserError(f"it needs a method ({', '.join(METHODS)}), or the rows that it is made 'of'.")
    preset = row.preset or grid.preset
    known = asdict(build(row.method, preset))
    common = {name: value for name, value in grid.recipe.items() if name in known}
    recipe = merged(common, row.recipe)
    values = {**merged(grid.experiment, changes), "method": row.method, "preset": preset, "recipe": recipe}
    run = _read(json.dumps(plain(values)))
    from_labels = {name: value for name, value in values.items() if name != "unlabelled"}
    if not run.training.recipe.learns_from_unlabelled():
        run = _read(json.dumps(plain(from_labels)))
    pretraining = {name: recipe[name] for name in _PRETRAINING if name in recipe}
    first = {**from_labels, "method": "source_only", "recipe": {**pretraining, "more_steps": 0}}
    return run, _read(json.dumps(plain(first)))


@cache
def _read(values: str) -> RunOptions:
    """The run that a config says, as JSON; a table has few different first stages, and reading takes a while."""
    config = json.loads(values)
    method, preset = config["method"], config["preset"]
    return RunOptions(as_training(method, preset, parse(_parser(method, preset), config)), config)


@cache
def _parser(method: str, preset: str) -> ArgumentParser:
    return train_parser(method, preset, "compare")


_PRETRAINING = ("batch", "crop", "flip", "augmentation", "pretrain_steps", "segmenter", "loss")
"""The settings of a method that its first phase depends on."""


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with changes put in: groups are merged, everything else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
