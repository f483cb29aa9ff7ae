"""Progress output: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import replace

from rich.live import Live

from pixda.terminal import console
from pixda.watch.pace import Pace, clock
from pixda.watch.view import Count, ViewState, view

_QUIET_SECONDS = 10.0
_TRIED_STEPS, _TRIED_SECONDS = 10, 20.0
"""After so many steps, or so long, of its first phase a run says about how long it will take."""


class Display:
    """Progress of a run through its phases, with the time left for the phase and for the whole run.

    Args:
        phases: name and planned steps of each phase, in order.
        label: what is being trained, before every line.
    """

    def __init__(self, phases: list[tuple[str, int]], label: str) -> None:
        self._console = console()
        self._phases = phases
        self._now = ViewState(label)
        self._live: Live | None = None
        self._printed_at = 0.0
        self._began: tuple[int, float] | None = None  # the step that the run began or went on at, and when
        self._estimated = False
        self.pace = Pace(phases)
        """The run's clock."""
        self._counted: dict[str, tuple[int, float]] = {}  # what is counted: the first number seen, and when

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=lambda: view(self._now, self._console.width),
                refresh_per_second=2,  # nobody reads faster
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(f"{self._now.label}: {text}", soft_wrap=True, markup=False)

    def fact(self, subject: str, text: str) -> None:
        """Show a value from now on, such as the mIoU; replaces an earlier one of the same subject."""
        self._now = replace(self._now, facts={**self._now.facts, subject: text})

    def begin(self, index: int, done: int) -> None:
        """A phase begins, or goes on from step ``done``."""
        name, steps = self._phases[index]
        self.pace.begin()
        self._printed_at = time.monotonic()
        self._began = self._began or (done, self._printed_at)
        phase = f"{name}, phase {index + 1} of {len(self._phases)}"
        self._now = replace(self._now, phase=phase, done=done, steps=steps, pace="", losses={})
        if self._live is not None:
            self._live.refresh()  # a short phase may be over before the next one comes by itself
        else:
            at = f", from step {done} on" if done else ""
            self.say(f"{name}: {steps} steps, phase {index + 1} of {len(self._phases)}{at}")

    def step(self, index: int, epoch: int, done: int, losses: Mapping[str, float] | None) -> None:
        """Step ``done`` of a phase has ended; ``epoch`` counts from 0, ``losses`` is None for most steps."""
        self.pace.step(index, done)
        name, steps = self._phases[index]
        pace = f"epoch {epoch + 1}{self._rate(index, done)}"
        self._now = replace(self._now, done=done, pace=pace, losses=losses or self._now.losses)
        now = time.monotonic()
        self._print_estimate(index, done, now)
        if self._live is None and (now - self._printed_at > _QUIET_SECONDS or done == steps):
            self._printed_at = now
            news = [f"{key} {value:.3g}" for key, value in self._now.losses.items()]
            facts = [f"{subject} {fact}" for subject, fact in self._now.facts.items()]
            self.say(" · ".join(filter(None, [f"{name} {done}/{steps}", pace, " ".join(news), *facts])))

    def _print_estimate(self, index: int, done: int, now: float) -> None:
        """Print an estimate of the whole run once the pace is known, unless it is nearly over."""
        left = self.pace.left(index, done)
        if self._estimated or self._began is None or left is None:
            return
        step, since = self._began
        if done - step <= _TRIED_STEPS and now - since < _TRIED_SECONDS:
            return
        self._estimated = True
        if left.in_all > _QUIET_SECONDS:
            later = ", if later phases are as quick as this one" if index + 1 < len(self._phases) else ""
            self.say(f"about {clock(left.in_all)} left for the whole run{later}")

    def count(self, what: str, done: int, total: int) -> None:
        """Show a count of something else, such as images scored; with calls from 0 on also the time left."""
        now = time.monotonic()
        first, since = self._counted.setdefault(what, (done, now))
        left = f"{clock((total - done) * (now - since) / (done - first))} left" if first < done < total else ""
        counts = {**self._now.counts, what: Count(done, total, left)}
        if done == total:
            del self._counted[what], counts[what]
        self._now = replace(self._now, counts=counts)
        if self._live is None and (done == total or (done > first and now - self._printed_at > _QUIET_SECONDS)):
            self._printed_at = now
            self.say(f"{what} {done}/{total}" + (f", {left}" if left else ""))

    def _rate(self, index: int, done: int) -> str:
        """Steps a second and the time left, as far as they are known."""
        rate = self.pace.rate and f" · {self.pace.rate}"
        left = self.pace.left(index, done)
        if left is None or left.here == 0:
            return rate
        if index + 1 == len(self._phases):
            return f"{rate} · {clock(left.here)} left"
        return f"{rate} · {clock(left.here)} left in this phase, at least {clock(left.in_all)} in all"
