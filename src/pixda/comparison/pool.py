"""Running jobs side by side, each in a process of its own: one that dies takes no other with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from pixda.comparison.jobs import Job
from pixda.errors import UserError
from pixda.lock import is_held

_LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True)
class Slot:
    """A place where one job runs at a time."""

    threads: int | None
    """CPU threads of the job; None leaves it to torch."""
    gpu: int | None = None
    """Number of its GPU; None where there is none."""


@dataclass
class Pool:
    """Runs jobs that need one another in as many slots as there are.

    Attributes:
        jobs: in the order in which they are to begin.
        slots: as many jobs run at a time.
        tell: told of every job that has ended, with the jobs still to come and a guess of the seconds they take.
    """

    jobs: Sequence[Job]
    slots: Sequence[Slot]
    tell: Callable[[Job, int, float | None], None]
    _running: dict[int, tuple[Job, "subprocess.Popen[bytes]", float]] = field(default_factory=dict)
    _seconds: list[float] = field(default_factory=list)
    _asked: signal.Signals | None = None

    def run(self) -> None:
        """Run everything that is not done; a job that fails leaves its reason in a file, and the others go on.

        Raises:
            UserError: on SIGINT or SIGTERM, once every running job has saved its state and ended.
        """
        waiting = [job for job in self.jobs if not job.done]
        for job in waiting:
            job.failure.unlink(missing_ok=True)
        with self._stoppable():
            while (waiting or self._running) and not self._asked:
                self._collect(len(waiting))
                for number in range(len(self.slots)):
                    if number not in self._running and (ready := self._next(waiting)) is not None:
                        waiting.remove(ready)
                        self._start(number, ready)
                time.sleep(_LOOK_EVERY)
            if self._asked:
                self._end(self._asked)
                raise UserError(
                    f"Stopped by {self._asked.name}; what was running is saved, and the same command goes on."
                )

    def _next(self, waiting: list[Job]) -> Job | None:
        """The first job that can begin now; those that never can are told and dropped."""
        for job in list(waiting):
            if job.done:  # by a process that outlived an earlier comparison
                waiting.remove(job)
                self.tell(job, len(waiting), self._left(len(waiting)))
            elif job.needs is not None and job.needs.failure.is_file():
                waiting.remove(job)
                job.failure.write_text(f"Its first stage failed: {job.needs.failure.read_text()}")
                self.tell(job, len(waiting), self._left(len(waiting)))
            elif (job.needs is None or job.needs.done) and not is_held(job.folder):
                return job
        return None

    def _start(self, number: int, job: Job) -> None:
        slot = self.slots[number]
        environment = dict(os.environ)
        if slot.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(slot.gpu)
        if slot.threads is not None:
            environment["OMP_NUM_THREADS"] = str(slot.threads)
        with job.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pixda", *job.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the comparison, which asks its jobs to stop itself
            )
        self._running[number] = (job, process, time.monotonic())

    def _collect(self, waiting: int) -> None:
        for number, (job, process, began) in list(self._running.items()):
            if process.poll() is None:
                continue
            del self._running[number]
            if not job.done:
                job.failure.write_text(_reason(job, process.returncode))
            elif job.cell is not None and job.words[0] == "train":  # what is only scored takes no time beside these
                self._seconds.append(time.monotonic() - began)
            self.tell(job, waiting + len(self._running), self._left(waiting + len(self._running)))

    def _left(self, jobs: int) -> float | None:
        """Seconds that so many jobs will take, from those that are done; None before the first."""
        if not self._seconds:
            return None
        return jobs * sum(self._seconds) / len(self._seconds) / len(self.slots)

    def _end(self, number: signal.Signals) -> None:
        for _, process, _ in self._running.values():
            process.send_signal(number)
        for _, process, _ in self._running.values():
            process.wait()

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


def _reason(job: Job, code: int) -> str:
    """Why a job ended without its product."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"It was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "") + f"; see {job.log}."
    lines = job.log.read_text(errors="replace").strip().splitlines()
    said = [line.removeprefix("pixda: ") for line in lines if line.startswith("pixda: ")]
    return said[-1] if said else f"It ended with exit code {code}; see {job.log}."
