"""The common form of all exports: labels, and images with their regions; and how single values are read."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixda.importing.regions import MOST_PIXELS, Region

DAMAGED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
"""What reading values of another form than the expected one raises."""


@dataclass(frozen=True)
class Annotated:
    """One image and what was drawn on it."""

    name: str
    """As the export has it: a file name, perhaps with folders before it."""
    size: tuple[int, int] | None
    """(width, height) that it was annotated at; None: the export does not say."""
    regions: Sequence[Region]
    """From the lowest to the topmost."""


@dataclass
class Export:
    """All that is used of an export."""

    labels: dict[str, tuple[int, int, int] | None]
    """Labels in their order, with the colour (RGB) that the tool shows them in, if it says so."""
    images: list[Annotated] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """What is no area, such as "polyline", and how often it occurs."""


def number(value: Any) -> float:
    """A finite number. Raises ValueError, or TypeError, for anything else."""
    found = float(value)
    if not math.isfinite(found) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    return found


def label_of(value: Any) -> str:
    """The name of a label: a text of one line."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise ValueError(f"{str(value)[:50]!r} is no label")
    return value.strip()


def size_of(width: Any, height: Any) -> tuple[int, int]:
    """Width and height of an image. Raises ValueError for none, or for one that would fill the memory."""
    size = (int(width), int(height))
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"{size[0]} x {size[1]} is no size of an image that can be imported")
    return size


def polygon(points: Any) -> np.ndarray:
    """Points (x, y), N x 2. Raises ValueError for less than three, or for what is no such list."""
    found = np.array(list(points), float)
    if found.ndim != 2 or found.shape[1] != 2 or len(found) < 3:
        raise ValueError("a polygon has three points of two numbers, or more")
    if not np.isfinite(found).all():
        raise ValueError("a polygon has a point that is no number")
    return found
