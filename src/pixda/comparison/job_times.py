"""How long the rest of a comparison takes, from what has been measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixda.comparison.jobs import Job

_Kind = tuple[str, str]


@dataclass
class JobTimes:
    """The seconds that jobs took, kept by their row: an adversarial method takes several times the time of a joint one.

    First stages and what is only scored are kinds of their own.
    """

    _seconds: dict[_Kind, list[float]] = field(default_factory=dict)

    def took(self, job: Job, seconds: float) -> None:
        """Note how long a job took."""
        self._seconds.setdefault(_kind(job), []).append(seconds)

    def left(self, waiting: Sequence[Job], running: Sequence[tuple[Job, float]], at_once: int) -> float | None:
        """Seconds until all is done.

        A job counts as the mean of its row; of all rows that are trained as it is, where its own has none yet; of
        everything, where they have none.

        Args:
            waiting: jobs to come.
            running: jobs and the seconds that they have run.
            at_once: as many run at a time.

        Returns:
            None before the first job is measured, or while nothing can run.
        """
        if not self._seconds or at_once < 1:
            return None
        rest = [max(self._guess(job) - ran, 0) for job, ran in running]
        work = sum(rest) + sum(self._guess(job) for job in waiting)
        # Never shorter than the longest that is under way, however many places there are.
        return max([work / at_once, *rest])

    def _guess(self, job: Job) -> float:
        kind = _kind(job)
        for known in (
            self._seconds.get(kind, []),
            [one for (sort, _), taken in self._seconds.items() if sort == kind[0] for one in taken],
            [one for taken in self._seconds.values() for one in taken],
        ):
            if known:
                return statistics.mean(known)
        raise AssertionError("asked before anything was measured")


def _kind(job: Job) -> _Kind:
    if job.needs is None:
        return "first stage", ""
    return job.words[0], job.title.rsplit(" · ", 2)[0]  # split and row, without shots and seed
