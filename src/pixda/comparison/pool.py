"""Running jobs side by side, each in a process of its own: one that dies takes no other with it."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from pixda.comparison.job_times import JobTimes
from pixda.comparison.jobs import Job
from pixda.errors import UserError
from pixda.machine.lock import is_held

_LOOK_EVERY = 0.2  # seconds
_SAVE_WITHIN = 120.0  # seconds for a job that was asked to stop; then it is killed, and its last checkpoint counts
_KILLED_WITHIN = 10.0  # seconds
_TRIES = 4  # of a job whose machine dies each time: it may be the job that kills them


class Stopped(UserError):
    """The user or the system asked a comparison to stop; what was running is saved."""


@dataclass(frozen=True)
class End:
    """How the process of a job ended."""

    code: int
    """Exit code; a signal's number, negative, where one ended it."""
    seconds: float
    """How long it ran."""
    lost: str | None = None
    """Why nothing is known of it: the machine that it ran on is gone."""
    refused: str | None = None
    """Why it could not begin."""


class Process(Protocol):
    """The process of a job, wherever it runs."""

    def end(self) -> End | None:
        """How it ended; None while it runs."""

    def stop(self, at_once: bool) -> None:
        """Ask it to save its state and end; ``at_once``: end it, with what its last checkpoint holds."""


class Places(Protocol):
    """Where jobs run."""

    def room(self) -> int:
        """How many jobs can run at a time, as things stand."""

    def start(self, job: Job) -> Process:
        """Begin a job; there is room for it."""


@dataclass
class Pool:
    """Runs jobs that need one another, as many at a time as there is room for.

    Attributes:
        jobs: in the order in which they are to begin.
        places: where they run.
        tell: told of every job that has ended, with None, and of what else happens to one, with a sentence; then come
            the number of jobs still to end and a guess of the seconds they take.
    """

    jobs: Sequence[Job]
    places: Places
    tell: Callable[[Job, str | None, int, float | None], None]
    _waiting: list[Job] = field(default_factory=list)
    _running: list[tuple[Job, Process, float]] = field(default_factory=list)
    _times: JobTimes = field(default_factory=JobTimes)
    _tries: Counter[Path] = field(default_factory=Counter)
    _held: set[Path] = field(default_factory=set)
    _asked: signal.Signals | None = None

    def run(self) -> None:
        """Run everything that is not done; a job that fails leaves its reason in a file, and the others go on.

        A job whose machine dies is begun again elsewhere.

        Raises:
            Stopped: on SIGINT or SIGTERM, once every running job has saved its state and ended.
        """
        self._waiting = [job for job in self.jobs if not job.done]
        for job in self._waiting:
            job.failure.unlink(missing_ok=True)
        with self._stoppable():
            while (self._waiting or self._running) and not self._asked:
                self._collect()
                while len(self._running) < self.places.room() and (ready := self._next()) is not None:
                    self._waiting.remove(ready)
                    self._tries[ready.folder] += 1
                    self._running.append((ready, self.places.start(ready), time.monotonic()))
                time.sleep(_LOOK_EVERY)
            if self._asked:
                name = self._asked.name
                self._end()
                raise Stopped(f"Stopped by {name}; what was running is saved.")

    def _next(self) -> Job | None:
        """The first job that can begin now; those that never can are told and dropped."""
        for job in list(self._waiting):
            if job.done:  # or by a process that outlived an earlier comparison
                self._waiting.remove(job)
                self._tell(job)
            elif job.needs is not None and job.needs.failure.is_file():
                self._waiting.remove(job)
                job.failure.write_text(f"Its first stage failed: {job.needs.failure.read_text()}")
                self._tell(job)
            elif job.needs is None or job.needs.done:
                if not is_held(job.folder):
                    return job
                if job.folder not in self._held:
                    self._held.add(job.folder)
                    self._tell(job, f"another process is at work in {job.folder}, and is waited for")
        return None

    def _collect(self) -> None:
        for running in list(self._running):
            job, process, _ = running
            if (end := process.end()) is None:
                continue
            self._running.remove(running)
            if job.done:
                self._times.took(job, end.seconds)
            elif end.lost is not None and self._tries[job.folder] < _TRIES:
                self._waiting.insert(0, job)
                self._tell(job, f"{end.lost}; it goes on elsewhere")
                continue
            else:
                job.failure.write_text(_reason(job, end))
            self._tell(job)

    def _tell(self, job: Job, news: str | None = None) -> None:
        now = time.monotonic()
        running = [(one, now - began) for one, _, began in self._running]
        left = self._times.left(self._waiting, running, self.places.room())
        self.tell(job, news, len(self._waiting) + len(self._running), left)

    def _end(self) -> None:
        """Let what is running save its state, for two minutes at most; whoever asks again does not want to wait."""
        self._asked = None
        for at_once, seconds in ((False, _SAVE_WITHIN), (True, _KILLED_WITHIN)):
            for process in self._alive():
                process.stop(at_once)
            limit = time.monotonic() + seconds
            while self._alive() and time.monotonic() < limit and self._asked is None:
                time.sleep(_LOOK_EVERY)

    def _alive(self) -> list[Process]:
        return [process for _, process, _ in self._running if process.end() is None]

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


def _reason(job: Job, end: End) -> str:
    """Why a job ended without its product."""
    if end.refused is not None:
        return end.refused
    if end.lost is not None:
        return f"It was begun {_TRIES} times, and each time its machine was lost, last: {end.lost}; see {job.log}."
    if end.code < 0:
        name = signal.Signals(-end.code).name
        return f"It was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "") + f"; see {job.log}."
    lines = job.log.read_text(errors="replace").strip().splitlines()
    said = [line.removeprefix("pixda: ") for line in lines if line.startswith("pixda: ")]
    return said[-1] if said else f"It ended with exit code {end.code}; see {job.log}."
