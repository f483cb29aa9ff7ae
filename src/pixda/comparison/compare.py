"""``pixda compare``: plan the grid, check the data, run the cells, keep the tables up to date."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pixda.comparison.collect import collect, prepare
from pixda.comparison.grid import Grid, plan
from pixda.comparison.jobs import Job, jobs_for
from pixda.comparison.pool import Pool, Slot
from pixda.comparison.results import Comparison
from pixda.comparison.write import write
from pixda.lock import hold
from pixda.metrics import Scores
from pixda.pace import clock
from pixda.terminal import console

_WRITE_EVERY = 60.0  # seconds: the tables of an unfinished comparison may be that old


def compare(grid: Grid, out: Path, at_once: int | None = None) -> Comparison:
    """Run every cell of a grid that is not done yet, and write the tables.

    Leaves in ``out``: the tables, the curve and the protocol card (see :mod:`pixda.comparison.write`), brought up to
    date as cells end, and ``runs/`` with a run folder for each first stage and each cell. A comparison that was
    killed goes on when it is started again: finished cells stay, begun ones resume, failed ones are tried anew.

    Args:
        grid: methods x shots x seeds x splits.
        out: folder for all of it.
        at_once: cells that run at the same time; None: one a GPU, or one a processor, at most eight.

    Raises:
        UserError: something in the grid or in the data is wrong, found before anything is trained; another process
            is at work in ``out``; or a stop that was asked for.
    """
    cells = plan(grid)
    with hold(out):
        jobs = jobs_for(cells, out)
        shares = prepare(cells, out / "runs" / ".checks")

        def tables() -> Comparison:
            comparison = collect(grid, cells, jobs, shares)
            write(comparison, out)
            return comparison

        Pool(jobs, slots(at_once), _teller(jobs, tables)).run()
        return tables()


def slots(at_once: int | None) -> list[Slot]:
    """The places where jobs run: a GPU each, or a share of the processors each."""
    gpus, processors = torch.cuda.device_count(), os.cpu_count() or 1
    count = at_once or gpus or min(processors, 8)
    if gpus:
        return [Slot(None, number % gpus) for number in range(count)]
    return [Slot(max(1, processors // count)) for _ in range(count)]


def _teller(jobs: list[Job], tables: Callable[[], Comparison]) -> Callable[[Job, int, float | None], None]:
    """Says a line for each job that ends, and writes the tables now and then."""
    written = time.monotonic()

    def tell(job: Job, waiting: int, left: float | None) -> None:
        nonlocal written
        if job.done:
            outcome = f"{100 * Scores.load(job.product).miou:.1f} mIoU" if job.cell else "done"
        else:
            outcome = f"FAILED: {job.failure.read_text()}"
        rest = f", about {clock(left)} left" if left and waiting else ""
        console().print(f"{len(jobs) - waiting}/{len(jobs)} {job.title}: {outcome}{rest}", soft_wrap=True, markup=False)
        if time.monotonic() - written > _WRITE_EVERY:
            tables()
            written = time.monotonic()

    return tell
