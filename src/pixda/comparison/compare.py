"""``pixda compare``: plan the grid, check the data, run the cells, keep the tables up to date."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from pixda.comparison.card import protocol
from pixda.comparison.cluster import ray_executor
from pixda.comparison.command_line import Resources
from pixda.comparison.grid import Cell, Grid, Planned, learns_from_shots, plan
from pixda.comparison.jobs import Job, jobs_for
from pixda.comparison.pool import Executor, LocalExecutor, Pool, slots
from pixda.comparison.results import Comparison, Result
from pixda.comparison.tables import write
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.open import open_dataset, open_test
from pixda.data.shots import read_manifest
from pixda.errors import UserError
from pixda.machine.lock import hold
from pixda.models.saved import read_about
from pixda.training.validation import shots_of

_WRITE_EVERY = 60.0  # seconds between two writings of the tables while cells run


def compare(grid: Grid, out: Path, resources: Resources) -> Comparison:
    """Run every cell of a grid that is not done yet, and write the tables.

    Leaves in ``out``: the tables, the curve and the protocol card (see ``pixda.comparison.tables``), brought up to
    date as cells end, and ``runs/`` with a run folder for each first stage and each cell. A comparison that was
    killed goes on when it is started again: finished cells stay, begun ones resume, failed ones are tried anew.

    Args:
        grid: methods x shots x seeds x splits.
        out: folder for all of it.
        resources: what each job is given, and on which machines.

    Raises:
        UserError: something in the grid, in the data or with the machines is wrong, found before anything is trained;
            or another process is at work in ``out``.
        Stopped: a stop that was asked for.
    """
    cells = plan(grid)
    out = out.absolute()  # for processes that start in another folder
    with hold(out), executor(resources, out) as here:
        jobs, scoring = jobs_for(cells, out)
        shares = prepare(cells, out / "runs" / ".checks")
        written = time.monotonic()

        def write_now_and_then() -> None:
            nonlocal written
            if time.monotonic() - written > _WRITE_EVERY:
                write(collect(grid, cells, scoring, shares), out)
                written = time.monotonic()

        Pool(jobs, here, write_now_and_then).run()
        comparison = collect(grid, cells, scoring, shares)
        write(comparison, out)
        return comparison


@contextmanager
def executor(resources: Resources, out: Path) -> Iterator[Executor]:
    """What runs the jobs of a comparison in ``out``."""
    if resources.ray is not None:
        with ray_executor(resources.ray, resources, out) as cluster:
            yield cluster
        return
    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",")[:count] if visible else [str(number) for number in range(count)]
    yield LocalExecutor(slots(resources, os.cpu_count() or 1, devices))


def prepare(cells: Sequence[Planned], cache: Path) -> dict[str, dict[str, float]]:
    """Open and check all data before anything is trained (the street world is rendered here).

    Args:
        cells: of the grid.
        cache: folder that remembers which data was found in order.

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


def collect(
    grid: Grid, cells: Sequence[Planned], jobs: Mapping[Cell, Job], shares: Mapping[str, Mapping[str, float]]
) -> Comparison:
    """What the jobs have left so far; ``shares`` as ``prepare`` gives them."""
    results = []
    for (label, row), split, shots, seed in product(grid.rows.items(), grid.splits or [""], grid.shots, grid.seeds):
        cell = Cell(split, label, shots, seed)
        # The one run of a method that does not learn from shots stands in the line of every number of shots.
        result = _result(cell, jobs.get(cell) or jobs[replace(cell, shots=grid.shots[0])])
        if row.of:  # no training of its own to give an account of: the protocol says what it is made of
            result = replace(result, made=None)
        results.append(result if learns_from_shots(grid, label) else replace(result, frames=0))
    folds = {planned.cell.split: planned.folds for planned in cells if planned.folds}
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    return Comparison(grid.title, results, classes, shares, protocol(cells, grid.recipe), folds)


def _result(cell: Cell, job: Job) -> Result:
    made = read_about(job.model)["made"] if job.model.is_file() else None
    failure = job.failure.read_text() if job.failure.is_file() and not job.done else None
    return Result(cell, _frames(job), job.scores, failure, made)


def _frames(job: Job) -> int | None:
    """Labelled target frames that a job has; with folds, all of them, though each training lacks one fold."""
    if job.folds:
        return len(json.loads(job.product.read_text())["shots"]) if job.done else None
    shots = job.model.parent / "shots.json"
    return len(set(read_manifest(shots).names)) if shots.is_file() else None
