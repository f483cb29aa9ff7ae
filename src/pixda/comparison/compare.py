"""``pixda compare``: plan the grid, check the data, run the cells, keep the tables up to date."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pixda.comparison.cluster import connected
from pixda.comparison.collect import collect, prepare
from pixda.comparison.grid import Grid, plan
from pixda.comparison.jobs import Job, jobs_for
from pixda.comparison.local import Local, slots
from pixda.comparison.pool import Places, Pool
from pixda.comparison.results import Comparison
from pixda.comparison.where import Where
from pixda.comparison.write import write
from pixda.machine.lock import hold
from pixda.metrics import percent
from pixda.terminal import console
from pixda.watch.pace import clock

_WRITE_EVERY = 60.0  # seconds: the tables of an unfinished comparison may be that old


def compare(grid: Grid, out: Path, where: Where) -> Comparison:
    """Run every cell of a grid that is not done yet, and write the tables.

    Leaves in ``out``: the tables, the curve and the protocol card (see ``pixda.comparison.write``), brought up to
    date as cells end, and ``runs/`` with a run folder for each first stage and each cell. A comparison that was
    killed goes on when it is started again: finished cells stay, begun ones resume, failed ones are tried anew.

    Args:
        grid: methods x shots x seeds x splits.
        out: folder for all of it.
        where: the machines.

    Raises:
        UserError: something in the grid, in the data or with the machines is wrong, found before anything is trained;
            or another process is at work in ``out``.
        Stopped: a stop that was asked for.
    """
    cells = plan(grid)
    out = out.absolute()  # for processes that begin elsewhere
    with hold(out), places(where, out) as here:
        jobs, filled = jobs_for(cells, out)
        shares = prepare(cells, out / "runs" / ".checks")

        def tables() -> Comparison:
            comparison = collect(grid, cells, filled, shares)
            write(comparison, out)
            return comparison

        Pool(jobs, here, _teller(jobs, tables)).run()
        return tables()


@contextmanager
def places(where: Where, out: Path) -> Iterator[Places]:
    """The places where the jobs of a comparison in ``out`` run."""
    if where.ray is not None:
        with connected(where.ray, out, where.at_once, where.cpus, where.gpus) as cluster:
            yield cluster
        return
    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",")[:count] if visible else [str(number) for number in range(count)]
    yield Local(slots(where.at_once, where.cpus, where.gpus, os.cpu_count() or 1, devices))


def _teller(jobs: list[Job], tables: Callable[[], Comparison]) -> Callable[[Job, str | None, int, float | None], None]:
    """Says a line for each job that ends and for other news, and writes the tables now and then."""
    written = time.monotonic()

    def tell(job: Job, news: str | None, waiting: int, left: float | None) -> None:
        nonlocal written
        if news is not None:
            outcome = news
        elif job.done:
            scores = job.scores
            outcome = "done" if scores is None else f"{percent(next(iter(scores.mean.values())))} mIoU"
        else:
            outcome = f"FAILED: {job.failure.read_text()}"
        rest = f", about {clock(left)} left" if left and waiting else ""
        console().print(f"{len(jobs) - waiting}/{len(jobs)} {job.title}: {outcome}{rest}", soft_wrap=True, markup=False)
        if time.monotonic() - written > _WRITE_EVERY:
            tables()
            written = time.monotonic()

    return tell
