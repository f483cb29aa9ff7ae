"""The contract of a logger."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image


class Logger(Protocol):
    """One run of a logger. What it is told of a step, it is told once, also where a run was stopped and goes on."""

    def metrics(self, values: Mapping[str, float], step: int, total: int) -> None:
        """Numbers named ``<phase>/<name>``, of a step.

        Args:
            values: all of one phase.
            step: of the phase; of a selection, its epoch.
            total: optimiser steps of the whole run so far; never less than the last time.
        """

    def picture(self, name: str, picture: Image.Image, step: int, total: int) -> None:
        """A picture named ``<phase>/<name>``, of a step."""

    def close(self, finished: bool) -> None:
        """Write out what is still in memory; ``finished``: the run has come to its end."""


class Opened(NamedTuple):
    """A logger, and where a user finds it."""

    logger: Logger
    place: str


def remembered(folder: Path, name: str) -> str | None:
    """The id of the logger's run that this one goes on with; None at the start."""
    path = folder / f"{name}_run.txt"
    return path.read_text().strip() if path.is_file() else None


def remember(folder: Path, name: str, run: str) -> None:
    """Keep the id of the logger's run for when this one goes on."""
    (folder / f"{name}_run.txt").write_text(run + "\n")
