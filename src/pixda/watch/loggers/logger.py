"""The contract of a logger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from PIL import Image


class Logger(Protocol):
    """One run of a logger. Each step is reported once, even if the training was stopped and resumed."""

    place: str
    """Where a user finds it."""

    def metrics(self, values: Mapping[str, float], step: int, total: int) -> None:
        """Log numbers named ``<phase>/<name>`` at a step.

        Args:
            values: all of one phase.
            step: of the phase; of a selection, its epoch.
            total: optimiser steps of the whole run so far; never less than the last time.
        """

    def picture(self, name: str, picture: Image.Image, step: int, total: int) -> None:
        """Log a picture named ``<phase>/<name>`` at a step."""

    def close(self, finished: bool) -> None:
        """Flush and close; ``finished``: the training is complete."""


def remembered(folder: Path, name: str) -> str | None:
    """The stored id of the logger's run to resume; None in a new run."""
    path = folder / f"{name}_run.txt"
    return path.read_text().strip() if path.is_file() else None


def remember(folder: Path, name: str, run: str) -> None:
    """Store the id of the logger's run for a resume."""
    (folder / f"{name}_run.txt").write_text(run + "\n")
