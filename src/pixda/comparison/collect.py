"""The data of a comparison, checked before anything is trained; and what its cells have left, at any time."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from pixda.comparison.grid import Grid, Planned
from pixda.comparison.jobs import Job
from pixda.comparison.results import Cell, Comparison, Result
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.open import open_dataset, open_test
from pixda.data.shots import read_manifest
from pixda.errors import UserError
from pixda.methods import METHODS
from pixda.models.saved import read_about
from pixda.training.validation import shots_of

_MOST_NAMED = 20


def collect(grid: Grid, cells: Sequence[Planned], jobs: Mapping[Cell, Job], shares: Mapping[str, Any]) -> Comparison:
    """The comparison as far as it has got."""
    results = []
    for (label, row), split, shots, seed in product(grid.rows.items(), grid.splits or [""], grid.shots, grid.seeds):
        cell = Cell(split, label, shots, seed)
        # One run stands in every line of a method that has no use for the shots.
        result = _read(cell, jobs.get(cell) or jobs[replace(cell, shots=grid.shots[0])])
        results.append(result if METHODS[row.method].learns_from_shots else replace(result, frames=0))
    folds = {planned.cell.split: planned.folds for planned in cells if planned.folds}
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    return Comparison(grid.title, results, classes, shares, _protocol(cells, grid.recipe), folds)


def _read(cell: Cell, job: Job) -> Result:
    made = read_about(job.model)["made"] if job.model.is_file() else None
    failure = job.failure.read_text() if job.failure.is_file() and not job.done else None
    return Result(cell, _frames(job), job.scores, failure, made)


def _frames(job: Job) -> int | None:
    """Labelled target frames that a job has; with folds, all of them, though each training lacks one fold."""
    if job.folds:
        return len(json.loads(job.product.read_text())["shots"]) if job.done else None
    shots = job.folder / "shots.json"
    return len(set(read_manifest(shots).names)) if shots.is_file() else None


def prepare(cells: Sequence[Planned], cache: Path) -> dict[str, dict[str, float]]:
    """Open and check all data before anything is trained (the street world is rendered here).

    Args:
        cells: of the grid.
        cache: folder that remembers what was found in order.

    Returns:
        Split -> class -> its share of the labelled pixels in the target's training set.

    Raises:
        UserError: a set cannot be read, there are more folds than shots, or the splits are of different class sets.
    """
    names = {planned.run.training.experiment.classes for planned in cells}
    if len(names) > 1:
        raise UserError(f"One table has one class set, and the splits have several: {', '.join(sorted(names))}.")
    classes = ClassSet.load(names.pop())
    shares: dict[str, dict[str, float]] = {}
    for planned in cells:
        experiment = planned.run.training.experiment
        if planned.folds:
            shots_of(experiment, planned.folds)
        if planned.cell.split not in shares:
            found = check(open_dataset(experiment.target, classes), cache)
            total = max(sum(found.pixels), 1)
            counts = zip(classes.names, found.pixels, strict=True)
            shares[planned.cell.split] = {name: count / total for name, count in counts}
            scored = found if planned.folds else check(open_test(experiment.target, classes), cache)
            scored.raise_if_bad()
    for source in {planned.run.training.experiment.source for planned in cells}:
        check(open_dataset(source, classes), cache).raise_if_bad()
    return shares


def _protocol(cells: Sequence[Planned], recipe: Mapping[str, Any]) -> dict[str, str]:
    """What all numbers of a comparison rest on."""
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    lines = {
        "seeds decide": "initial weights, order of the data, crops, drawn shots",
        "first stage": "source only; one for each source, network, seed and pretraining recipe, shared by all rows",
        "settings for all rows": json.dumps(recipe) if recipe else "those of the preset",
    }
    if any(planned.folds for planned in cells):
        lines["seeds decide"] += ", which fold a shot is in"
    for planned in {planned.cell.split: planned for planned in cells}.values():
        experiment, split = planned.run.training.experiment, planned.cell.split
        mark = f", {split}" if split else ""
        source = f"{len(open_dataset(experiment.source, classes).frames)} of the source{_world(experiment.source)}"
        if planned.folds:
            lines[f"frames{mark}"] = f"{source}; there is no test set: scored on the shots, by {planned.folds} folds"
            lines |= _shots(cells, split, mark)
        else:
            names = [frame.name for frame in open_test(experiment.target, classes).frames]
            lines[f"frames{mark}"] = f"{source}; scored on {len(names)} (hash of their names {_hash(names)})"
    return lines


def _shots(cells: Sequence[Planned], split: str, mark: str) -> dict[str, str]:
    """Which frames are dealt to the folds: a line for each set of shots, which most seeds or none have in common."""
    one_row = {(one.cell.shots, one.cell.seed): one for one in cells if one.cell.split == split}
    seeds: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for (shots, seed), planned in one_row.items():
        names = tuple(sorted(shots_of(planned.run.training.experiment, planned.folds)[1]))
        seeds.setdefault((f"{shots}-shot", names), []).append(seed)
    lines = {}
    for (label, names), of in seeds.items():
        listed = ", ".join(names[:_MOST_NAMED]) + ", …" * (len(names) > _MOST_NAMED)
        head = f"scored shots{mark}, {label}, seed {', '.join(map(str, of))}"
        lines[head] = f"{len(names)}: {listed} (hash of their names {_hash(names)})"
    return lines


def _hash(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _world(data: Data) -> str:
    return f" ({data.streets})" if data.dataset == "streets" else ""
