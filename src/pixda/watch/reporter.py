"""Passes what phases and the loop report to the terminal and to the logs."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from pixda.selection import Selected
from pixda.watch.logs import Logs
from pixda.watch.peak import peak
from pixda.watch.progress import Display


class RunReporter:
    """Shows and logs what phases and the loop report; long work between steps can be stopped here.

    Args:
        display: what the user sees.
        logs: what is written down; None in all processes but the first.
        stop_if_asked: called between two batches of a selection or of pseudo-labels; if it raises, they are made anew.
    """

    def __init__(self, display: Display, logs: Logs | None, stop_if_asked: Callable[[], None]) -> None:
        self._display, self._logs, self._stop_if_asked = display, logs, stop_if_asked
        self.total = 0
        """Optimiser steps of all phases so far."""
        self.selections: list[dict[str, Any]] = []
        """Epoch, rule, images judged and kept of every selection so far; of several sources, which one it is of."""

    def begin(self, index: int, phase: str, step: int) -> None:
        """A phase begins, or goes on from ``step``."""
        if self._logs is not None:
            self._logs.rewind(phase, step)
        self._show_kept()
        self._display.begin(index, step)

    def losses(self, phase: str, epoch: int, step: int, means: dict[str, float], device: torch.device) -> None:
        """Log the means of the losses since the last call."""
        if means and self._logs is not None:
            self._logs.losses(phase, epoch, step, self.total, means)
        self._display.fact("memory", peak(device))

    def selected(self, result: Selected) -> None:
        """Log and show what a selection kept."""
        kept, of = len(result.kept), len(result.scores)
        if self._logs is not None:
            # At the next step: loggers that had this step before a stop take nothing more for it.
            self._logs.selection(result, self.total + 1)
        source = {} if result.source is None else {"source": result.source}
        self.selections.append({"epoch": result.epoch, **source, **asdict(result.rule), "kept": kept, "of": of})
        self._show_kept()
        images = "source images" if result.source is None else f"images of {result.source}"
        self._display.say(f"selection: {kept} of {of} {images} stay ({result.rule})")

    def _show_kept(self) -> None:
        """What the last selection of each source has kept."""
        last = {one.get("source"): f"{one['kept']} of {one['of']}" for one in self.selections}
        if last:
            kept = [f"{one} source images" if source is None else f"{source} {one}" for source, one in last.items()]
            self._display.fact("kept", ", ".join(kept))

    def dropped(self, source: str) -> None:
        """Say that a source is not drawn from any more."""
        self._display.say(f"selection: {source} drops out, too few of its images stay for its share of a batch")

    def scoring(self, done: int, total: int) -> None:
        """Show how far a selection is."""
        self._stop_if_asked()
        self._display.count("selection", done, total)

    def labelled(self, images: int, share: float) -> None:
        """Show what the pseudo-labels cover."""
        self._display.say(f"pseudo-labels: {share:.0%} of the pixels of {images} target images")

    def labelling(self, done: int, total: int) -> None:
        """Show how far the pseudo-labels are."""
        self._stop_if_asked()
        self._display.count("pseudo-labels", done, total)
