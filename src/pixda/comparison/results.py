"""What a comparison found: one result a cell of the grid, scored or failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pixda.data.classes import ClassSet

if TYPE_CHECKING:  # `pixda --help` reads the grid, which knows cells, and must not wait for torch
    from pixda.metrics import Scores


Shots = int | Literal["all"]
"""Labelled target frames of each city, or every labelled frame."""


@dataclass(frozen=True)
class Cell:
    """One place of the grid."""

    split: str
    """Name of the variant of the data ("small gap"); "" where the grid has one only."""
    row: str
    """Label of the method and its changes ("PixDA without S")."""
    shots: Shots
    seed: int
    """Initial weights, order of the data, drawn shots."""


@dataclass(frozen=True)
class Result:
    """What came of one cell."""

    cell: Cell
    frames: int | None
    """Labelled target frames the run was given; None where it never got so far."""
    scores: "Scores | None"
    """None where the cell failed or has not been run yet."""
    failure: str | None
    """Why there are no scores, in a sentence; None where there are, or where the cell has not been run."""
    made: Mapping[str, Any] | None = None
    """The account in ``model.json``: version, departures, steps, machine; None without a model."""


@dataclass(frozen=True)
class Comparison:
    """All results of a grid, in its order, and what they have in common."""

    title: str
    results: Sequence[Result]
    classes: ClassSet
    shares: Mapping[str, Mapping[str, float]]
    """Split -> class -> its share of the labelled pixels in the target's training set, 0..1."""
    protocol: Mapping[str, str]
    """What the numbers rest on, for the protocol card: a heading and its text."""
    folds: Mapping[str, int] = field(default_factory=dict)
    """Split -> K, for splits that are scored by K folds of the shots; the others have a test set."""
