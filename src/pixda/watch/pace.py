"""Speed of a run, and an estimate of the time left."""

import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

_RECENT = 30.0  # seconds that the rate looks back on


class Left(NamedTuple):
    """Estimated seconds left."""

    here: float
    """Of the phase."""
    in_all: float
    """In this phase and all later ones, assuming the fastest pace seen so far for those."""


class Pace:
    """Measures the speed of each phase of a run.

    Args:
        phases: name and planned steps of each phase, in order.
    """

    def __init__(self, phases: Sequence[tuple[str, int]]) -> None:
        self._phases = phases
        self.seconds: dict[str, float] = {}
        """Phase -> seconds a step, all in: selections, checkpoints, pictures. Phases never seen are not in it."""
        self._first: tuple[int, float] | None = None  # the first step seen and its time; excludes warm-up
        self._recent: deque[tuple[int, float]] = deque()

    def begin(self) -> None:
        """Another phase begins."""
        self._first = None
        self._recent.clear()

    def step(self, index: int, done: int) -> None:
        """Step ``done`` of phase ``index`` has ended."""
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        begun, since = self._first
        if done > begun:
            self.seconds[self._phases[index][0]] = (now - since) / (done - begun)
        self._recent.append((done, now))
        while len(self._recent) > 2 and now - self._recent[1][1] > _RECENT:
            self._recent.popleft()

    @property
    def rate(self) -> str:
        """Speed over the last half minute: ``3.1 steps/s``, ``12 s a step``; empty before the second step."""
        if not self._recent or self._recent[0][0] == self._recent[-1][0]:
            return ""
        (first, since), (last, now) = self._recent[0], self._recent[-1]
        seconds = max((now - since) / (last - first), 1e-6)
        return f"{1 / seconds:.3g} steps/s" if seconds < 1 else f"{seconds:.3g} s a step"

    def left(self, index: int, done: int) -> Left | None:
        """Time left after step ``done`` of phase ``index``; None before its second step."""
        name, steps = self._phases[index]
        if self._first is None or done <= self._first[0]:
            return None
        here = (steps - done) * self.seconds[name]
        later = sum(count for _, count in self._phases[index + 1 :])
        return Left(here, here + later * min(self.seconds.values()))


def clock(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
