"""Runs jobs side by side, each in a process of its own: one that dies takes no other with it."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple, Protocol

from pixda.comparison.command_line import Resources
from pixda.comparison.jobs import Job
from pixda.errors import UserError
from pixda.machine.lock import is_held
from pixda.metrics import percent
from pixda.terminal import console
from pixda.watch.pace import clock

_LOOK_EVERY = 0.2  # seconds
_SAVE_WITHIN = 120.0  # seconds for a job that was asked to stop; then it is killed, and its last checkpoint counts
_KILLED_WITHIN = 10.0  # seconds
_TRIES = 4  # of a job whose machine dies each time: the job may be what kills them
_AT_MOST = 8  # jobs that share the processors, unless more are asked for: each holds a network and its data


class Stopped(UserError):
    """The user or the system asked a comparison to stop; what was running is saved."""


class End(NamedTuple):
    """The process of a job has ended."""

    why: str
    """The reason, should the job not be done."""
    machine_lost: bool = False
    """The machine that it ran on is gone, and the job can go on elsewhere."""


class JobProcess(Protocol):
    """The process of a job, wherever it runs."""

    def end(self) -> End | None:
        """How it ended; None while it runs."""

    def stop(self, at_once: bool) -> None:
        """Ask it to save its state and end; ``at_once``: kill it, and its last checkpoint counts."""


class Executor(Protocol):
    """Runs jobs: on this machine, or on a cluster."""

    def capacity(self) -> int:
        """How many jobs can run at a time now, those that are running included."""

    def submit(self, job: Job) -> JobProcess:
        """Start a job; there is room for it."""


class Pool:
    """Runs the jobs that are not done, each after those it needs, as many at a time as there is room for.

    What is done, what failed and what another process works on is read from the jobs' folders.

    Args:
        jobs: in the order in which they are to start.
        executor: runs them.
        news: called after every line that is printed.
    """

    def __init__(self, jobs: Sequence[Job], executor: Executor, news: Callable[[], None]) -> None:
        self._total, self._executor, self._news = len(jobs), executor, news
        self._waiting = [job for job in jobs if not job.done]
        self._running: dict[Job, tuple[JobProcess, float]] = {}  # with the time of its start
        self._took: list[tuple[Job, float]] = []
        self._starts: Counter[Job] = Counter()
        self._held: set[Job] = set()
        self._asked: signal.Signals | None = None

    def run(self) -> None:
        """Run all jobs; one that fails leaves its reason in a file, and the others go on.

        A job whose machine dies is started again elsewhere.

        Raises:
            Stopped: on SIGINT or SIGTERM, once every running job has saved its state and ended.
        """
        for job in self._waiting:
            job.failure.unlink(missing_ok=True)
        if self._waiting:
            text = f"{self._total} runs, {self._executor.capacity()} at a time; each writes a log.txt, first "
            console().print(f"{text}{self._waiting[0].log}", soft_wrap=True, markup=False)
        with self._stoppable():
            while (self._waiting or self._running) and self._asked is None:
                for job in list(self._running):
                    self._collect(job)
                capacity = self._executor.capacity()
                for job in list(self._waiting):
                    if len(self._running) < capacity:
                        self._start_if_ready(job)
                time.sleep(_LOOK_EVERY)
            if self._asked is not None:
                name = self._asked.name
                self._stop_all()
                raise Stopped(f"Stopped by {name}; what was running is saved.")

    def _collect(self, job: Job) -> None:
        """Put away a job whose process has ended."""
        process, began = self._running[job]
        if (end := process.end()) is None:
            return
        del self._running[job]
        if job.done:
            self._took.append((job, time.monotonic() - began))
        elif end.machine_lost and self._starts[job] < _TRIES:
            self._waiting.insert(0, job)
            self._say(job, f"{end.why}; it goes on elsewhere")
            return
        elif end.machine_lost:
            text = f"It was begun {_TRIES} times, and each time its machine was lost, last: {end.why}; see {job.log}."
            job.failure.write_text(text)
        else:
            job.failure.write_text(end.why)
        self._say_end(job)

    def _start_if_ready(self, job: Job) -> None:
        failed = next((one for one in job.needs if one.failure.is_file()), None)
        if job.done:  # a process that outlived an earlier comparison has done it
            self._waiting.remove(job)
            self._say_end(job)
        elif failed is not None:
            self._waiting.remove(job)
            job.failure.write_text(f"It needs '{failed.title}', which failed: {failed.failure.read_text()}")
            self._say_end(job)
        elif not all(one.done for one in job.needs):
            return
        elif not is_held(job.folder):
            self._waiting.remove(job)
            self._starts[job] += 1
            self._running[job] = self._executor.submit(job), time.monotonic()
        elif job not in self._held:
            self._held.add(job)
            self._say(job, f"another process is at work in {job.folder}, and is waited for")

    def _say_end(self, job: Job) -> None:
        if not job.done:
            self._say(job, f"FAILED: {job.failure.read_text()}")
        elif (scores := job.scores) is None:
            self._say(job, "done")
        else:
            self._say(job, f"{percent(next(iter(scores.mean.values())))} mIoU")

    def _say(self, job: Job, what: str) -> None:
        to_end = len(self._waiting) + len(self._running)
        now = time.monotonic()
        running = {one: now - began for one, (_, began) in self._running.items()}
        left = time_left(self._took, self._waiting, running, self._executor.capacity())
        rest = f", about {clock(left)} left" if left and to_end else ""
        line = f"{self._total - to_end}/{self._total} {job.title}: {what}{rest}"
        console().print(line, soft_wrap=True, markup=False)
        self._news()

    def _stop_all(self) -> None:
        """Let what is running save its state, for two minutes at most; a second signal kills it at once."""
        self._asked = None
        for at_once, seconds in ((False, _SAVE_WITHIN), (True, _KILLED_WITHIN)):
            for process in self._alive():
                process.stop(at_once)
            limit = time.monotonic() + seconds
            while self._alive() and time.monotonic() < limit and self._asked is None:
                time.sleep(_LOOK_EVERY)

    def _alive(self) -> list[JobProcess]:
        return [process for process, _ in self._running.values() if process.end() is None]

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        def ask(number: int, frame: FrameType | None) -> None:
            self._asked = signal.Signals(number)

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def time_left(
    took: Sequence[tuple[Job, float]], waiting: Sequence[Job], running: Mapping[Job, float], at_once: int
) -> float | None:
    """Seconds until all jobs are done.

    A job counts as the mean of its row, for an adversarial method takes several times as long as joint training; of
    all rows with the same command where its own has not been measured, and of everything where they have not.

    Args:
        took: jobs that are done, with their seconds.
        waiting: jobs to come.
        running: jobs -> the seconds that they have run.
        at_once: jobs that run at a time.

    Returns:
        None before the first job is measured, or while nothing can run.
    """
    if not took or at_once < 1:
        return None

    def guess(job: Job) -> float:
        row = [seconds for one, seconds in took if one.kind == job.kind]
        alike = [seconds for one, seconds in took if one.kind[0] == job.kind[0]]
        return statistics.mean(row or alike or [seconds for _, seconds in took])

    rest = [max(guess(job) - ran, 0) for job, ran in running.items()]
    # Never shorter than the longest that is running, however many run at a time.
    return max([(sum(rest) + sum(map(guess, waiting))) / at_once, *rest])


@dataclass(frozen=True)
class Slot:
    """Where one job runs at a time on this machine."""

    threads: int | None
    """CPU threads of the job; None leaves it to torch."""
    gpus: Sequence[str] | None = None
    """Its GPUs, as CUDA_VISIBLE_DEVICES names them; None leaves it to torch."""


def slots(resources: Resources, processors: int, devices: Sequence[str]) -> list[Slot]:
    """A slot for each GPU, or for each share of the processors, or as ``resources`` says.

    Args:
        resources: what is asked for.
        processors: of this machine.
        devices: the GPUs of this machine, as CUDA_VISIBLE_DEVICES names them.

    Raises:
        UserError: a job needs more GPUs than there are.
    """
    gpus = resources.gpus if resources.gpus is not None else 1.0 if devices else 0.0
    if gpus > len(devices):
        raise UserError(f"Each cell is to have {gpus:g} GPUs, and this machine has {len(devices)}; lower --gpus.")
    if gpus == 0:
        count = resources.at_once or max(1, min(processors // (resources.cpus or 1), _AT_MOST))
        return [Slot(resources.cpus or max(1, processors // count), [] if devices else None)] * count
    each = max(1, int(gpus))
    groups = [devices[start : start + each] for start in range(0, len(devices) - each + 1, each)]
    count = resources.at_once or len(groups) * max(1, int(1 / gpus))
    return [Slot(resources.cpus, groups[number % len(groups)]) for number in range(count)]


class LocalExecutor:
    """Runs jobs on this machine, each in the first slot that is free."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots
        self._in_slot: list[_LocalProcess | None] = [None] * len(slots)

    def capacity(self) -> int:
        """As many as there are slots."""
        return len(self._slots)

    def submit(self, job: Job) -> JobProcess:
        """Start a job in a free slot."""
        free = next(n for n, process in enumerate(self._in_slot) if process is None or process.end() is not None)
        self._in_slot[free] = process = _LocalProcess(job, self._slots[free])
        return process


class _LocalProcess:
    def __init__(self, job: Job, slot: Slot) -> None:
        environment = dict(os.environ)
        if slot.gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(slot.gpus)
        if slot.threads is not None:
            environment["OMP_NUM_THREADS"] = str(slot.threads)
        self._job = job
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
        return None if code is None else End(why_ended(self._job, code))

    def stop(self, at_once: bool) -> None:
        self._process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)


def why_ended(job: Job, code: int) -> str:
    """Why the process of a job ended without its product: ``code`` is its exit code, or minus the signal's number."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"It was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "") + f"; see {job.log}."
    lines = job.log.read_text(errors="replace").strip().splitlines()
    said = [line.removeprefix("pixda: ") for line in lines if line.startswith("pixda: ")]
    return said[-1] if said else f"It ended with exit code {code}; see {job.log}."
