"""The form that every reader brings an export to, and how readers check single values."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixda.importing.regions import MOST_PIXELS, Region

DAMAGED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
"""The errors that come from reading a value of an unexpected form."""


@dataclass(frozen=True)
class Annotated:
    """One image and the areas that were drawn on it."""

    name: str
    """As written in the export: a file name, perhaps with folders."""
    size: tuple[int, int] | None
    """(width, height) of the image when it was annotated; None if the export does not say."""
    regions: Sequence[Region]
    """From the bottom to the top."""


@dataclass
class Export:
    """What an import uses of an export."""

    labels: dict[str, tuple[int, int, int] | None]
    """Label -> its colour (RGB) in the tool, None if unknown; in the order of the export."""
    images: list[Annotated] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """What has no area and was left out, such as "polyline", with its count."""


def number(value: Any) -> float:
    """The value as a finite number. Raises ValueError or TypeError if it is none."""
    found = float(value)
    if not math.isfinite(found) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    return found


def label_of(value: Any) -> str:
    """The value as a label: one line of text. Raises ValueError if it is none."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise ValueError(f"{str(value)[:50]!r} is no label")
    return value.strip()


def size_of(width: Any, height: Any) -> tuple[int, int]:
    """Width and height of an image. Raises ValueError if they are not positive, or too large for the memory."""
    size = (int(width), int(height))
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"{size[0]} x {size[1]} is no size of an image that can be imported")
    return size


def polygon(points: Any) -> np.ndarray:
    """Points (x, y) as an array, N x 2. Raises ValueError for fewer than three, or for values of another form."""
    found = np.array(list(points), float)
    if found.ndim != 2 or found.shape[1] != 2 or len(found) < 3:
        raise ValueError("a polygon has three points of two numbers, or more")
    if not np.isfinite(found).all():
        raise ValueError("a polygon has a point that is no number")
    return found
