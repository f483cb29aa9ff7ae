"""Jobs on this machine: a process each, a share of the processors or of the GPUs each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixda.comparison.jobs import Job
from pixda.comparison.pool import End
from pixda.errors import UserError

_AT_MOST = 8
"""Cells at a time on processors, unless more are asked for: each holds a network, and its data on the way."""


@dataclass(frozen=True)
class Slot:
    """A place where one job runs at a time."""

    threads: int | None
    """CPU threads of the job; None leaves it to torch."""
    gpus: Sequence[str] | None = None
    """Its GPUs, as CUDA_VISIBLE_DEVICES names them; None leaves it to torch."""


def slots(
    at_once: int | None, cpus: int | None, gpus: float | None, processors: int, devices: Sequence[str]
) -> list[Slot]:
    """The places where jobs run: a GPU each, or a share of the processors each.

    Args:
        at_once: so many; None: as many as fit, but at most eight that share the processors.
        cpus: processors of a job; None: an equal share of them, and with a GPU what torch takes.
        gpus: GPUs of a job, a fraction where jobs share one; None: one, if there is any.
        processors: of this machine.
        devices: the GPUs of this machine, as CUDA_VISIBLE_DEVICES names them.

    Raises:
        UserError: a job needs more GPUs than there are.
    """
    if gpus is None:
        gpus = 1.0 if devices else 0.0
    if gpus > len(devices):
        raise UserError(f"Each cell is to have {gpus:g} GPUs, and this machine has {len(devices)}; lower --gpus.")
    if gpus == 0:
        count = at_once or max(1, min(processors // (cpus or 1), _AT_MOST))
        return [Slot(cpus or max(1, processors // count), [] if devices else None) for _ in range(count)]
    each = max(1, int(gpus))
    groups = [devices[start : start + each] for start in range(0, len(devices) - each + 1, each)]
    count = at_once or len(groups) * max(1, int(1 / gpus))
    return [Slot(cpus, groups[number % len(groups)]) for number in range(count)]


@dataclass
class Local:
    """This machine as a place for jobs; a job is started in the first slot that is free."""

    slots: Sequence[Slot]
    _busy: dict[int, "_Process"] = field(default_factory=dict)

    def room(self) -> int:
        """As many as there are slots."""
        return len(self.slots)

    def start(self, job: Job) -> "_Process":
        """Begin a job in a free slot."""
        free = [n for n in range(len(self.slots)) if n not in self._busy or self._busy[n].end() is not None]
        self._busy[free[0]] = _Process(job, self.slots[free[0]])
        return self._busy[free[0]]


class _Process:
    def __init__(self, job: Job, slot: Slot) -> None:
        environment = dict(os.environ)
        if slot.gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(slot.gpus)
        if slot.threads is not None:
            environment["OMP_NUM_THREADS"] = str(slot.threads)
        self._began = time.monotonic()
        self._end: End | None = None
        with job.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pixda", *job.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the comparison, which asks its jobs to stop itself
            )

    def end(self) -> End | None:
        code = self._process.poll()
        if code is not None and self._end is None:
            self._end = End(code, time.monotonic() - self._began)
        return self._end

    def stop(self, at_once: bool) -> None:
        self._process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
