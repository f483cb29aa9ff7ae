"""Reading what the cells of a grid have left, at any time."""

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
from pixda.metrics import Scores
from pixda.models.saved import read_about


def collect(grid: Grid, cells: Sequence[Planned], jobs: Sequence[Job], shares: Mapping[str, Any]) -> Comparison:
    """The comparison as far as it has got."""
    found = {job.cell: _read(job) for job in jobs if job.cell is not None}
    results = []
    for (label, row), split, shots, seed in product(grid.rows.items(), grid.splits or [""], grid.shots, grid.seeds):
        cell = Cell(split, label, shots, seed)
        # One run stands in every line of a method that has no use for the shots.
        run = cell if METHODS[row.method].learns_from_shots else replace(cell, shots=grid.shots[0])
        result = found[run]
        frames = result.frames if METHODS[row.method].learns_from_shots else 0
        results.append(replace(result, cell=cell, frames=frames))
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    return Comparison(grid.title, results, classes, shares, _protocol(grid, cells))


def _read(job: Job) -> Result:
    assert job.cell is not None
    shots, model = job.folder / "shots.json", job.folder / "model.json"
    if not model.is_file() and job.needs is not None and job.words[0] == "evaluate":
        model = job.needs.folder / "model.json"
    frames = len(set(read_manifest(shots).names)) if shots.is_file() else None
    made = read_about(model)["made"] if model.is_file() else None
    if job.done:
        return Result(job.cell, frames, Scores.load(job.product), None, made)
    failure = job.failure.read_text() if job.failure.is_file() else None
    return Result(job.cell, frames, None, failure, made)


def prepare(cells: Sequence[Planned], cache: Path) -> dict[str, dict[str, float]]:
    """Open and check all data before anything is trained (the street world is rendered here).

    Args:
        cells: of the grid.
        cache: folder that remembers what was found in order.

    Returns:
        Split -> class -> its share of the labelled pixels in the target's training set.

    Raises:
        UserError: a set cannot be read, or the splits are of different class sets.
    """
    names = {planned.run.training.experiment.classes for planned in cells}
    if len(names) > 1:
        raise UserError(f"One table has one class set, and the splits have several: {', '.join(sorted(names))}.")
    classes = ClassSet.load(names.pop())
    sources = {planned.run.training.experiment.source for planned in cells}
    shares: dict[str, dict[str, float]] = {}
    for planned in cells:
        if planned.cell.split in shares:
            continue
        target = planned.run.training.experiment.target
        pixels = check(open_dataset(target, classes), cache).pixels
        total = max(sum(pixels), 1)
        shares[planned.cell.split] = {n: count / total for n, count in zip(classes.names, pixels, strict=True)}
        check(open_test(target, classes), cache).raise_if_bad()
    for source in sources:
        check(open_dataset(source, classes), cache).raise_if_bad()
    return shares


def _protocol(grid: Grid, cells: Sequence[Planned]) -> dict[str, str]:
    """What all numbers of a comparison rest on."""
    experiments = {planned.cell.split: planned.run.training.experiment for planned in cells}
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    lines = {
        "seeds decide": "initial weights, order of the data, crops, drawn shots",
        "first stage": "source only; one for each source, network, seed and pretraining recipe, shared by all rows",
        "settings for all rows": json.dumps(grid.recipe) if grid.recipe else "those of the preset",
    }
    for split, experiment in experiments.items():
        test = open_test(experiment.target, classes)
        digest = hashlib.sha256("\n".join(frame.name for frame in test.frames).encode()).hexdigest()[:12]
        mark = f", {split}" if split else ""
        lines[f"frames{mark}"] = (
            f"{len(open_dataset(experiment.source, classes).frames)} of the source{_world(experiment.source)}; "
            f"scored on {len(test.frames)} (hash of their names {digest})"
        )
    return lines


def _world(data: Data) -> str:
    return f" ({data.streets})" if data.dataset == "streets" else ""
