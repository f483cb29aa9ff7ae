"""What the user sees while it runs: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from pixda.terminal import console

_QUIET_SECONDS = 10.0


class Display:
    """Progress of a run through its phases, with the time left for the phase and for the whole run.

    Args:
        phases: name and planned steps of each phase, in order.
        label: what is being trained, before every line.
    """

    def __init__(self, phases: list[tuple[str, int]], label: str) -> None:
        self._console = console()
        self._phases = phases
        self._label = label
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told = 0.0
        self._first: tuple[int, float] | None = None  # the phase's first step seen, and when it was done
        self._news = ""
        self._counted: dict[str, tuple[int, float]] = {}  # what is counted: the first number seen, and when

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                BarColumn(20),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                # What does not fit is cut here, and nowhere else.
                TextColumn("{task.fields[news]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
                console=self._console,
                expand=True,
            )
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(f"{self._label}: {text}", soft_wrap=True)

    def begin(self, index: int, done: int) -> None:
        """A phase begins, or goes on from step ``done``."""
        name, steps = self._phases[index]
        self._first = None
        self._news = ""
        if self._bars is not None:
            news = f"phase {index + 1} of {len(self._phases)}"
            self._task("phase", f"{self._label} {name}", steps, done, news)
        else:
            self.say(f"{name}: {steps} steps, phase {index + 1} of {len(self._phases)}")

    def step(self, index: int, done: int, losses: Mapping[str, float] | None) -> None:
        """Step ``done`` of a phase is behind us; losses come only now and then."""
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        begun, since = self._first
        pace = (now - since) / (done - begun) if done > begun else None
        name, steps = self._phases[index]
        if losses is not None:
            self._news = " ".join(f"{key} {value:.3g}" for key, value in losses.items())
        later = sum(count for _, count in self._phases[index + 1 :])
        if self._bars is not None:
            rest = "" if pace is None else f"run: {clock((steps - done + later) * pace)} left · "
            self._bars.update(self._tasks["phase"], completed=done, news=rest + self._news)
        elif now - self._told > _QUIET_SECONDS or done == steps:
            self._told = now
            left = ""
            if pace is not None:
                left = f", {clock((steps - done) * pace)} left here, {clock((steps - done + later) * pace)} in all"
            self.say(f"{name} {done}/{steps}{left}" + (f" · {self._news}" if self._news else ""))

    def count(self, what: str, done: int, total: int) -> None:
        """Something else is being counted: images scored, frames evaluated. Told from 0 on, it says the time left."""
        now = time.monotonic()
        first, since = self._counted.setdefault(what, (done, now))
        if done == total:
            del self._counted[what]
        if self._bars is not None:
            self._task(what, f"{self._label} {what}", total, done, "")
            if done == total:
                self._bars.remove_task(self._tasks.pop(what))
        elif done == total or (done > first and now - self._told > _QUIET_SECONDS):
            self._told = now
            left = f", {clock((total - done) * (now - since) / (done - first))} left" if first < done < total else ""
            self.say(f"{what} {done}/{total}{left}")

    def _task(self, key: str, description: str, total: int, done: int, news: str) -> None:
        assert self._bars is not None
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(description, total=total, completed=done, news=news)
        elif key == "phase":
            self._bars.reset(self._tasks[key], description=description, total=total, completed=done, news=news)
        else:
            self._bars.update(self._tasks[key], completed=done)


def clock(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
