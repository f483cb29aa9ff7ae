"""Labelled areas as annotation tools store them, and how they are painted into one mask."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from pixda.data.class_file import IGNORE
from pixda.data.files import read_colours

MOST_PIXELS = 1 << 25  # 8192 x 4096; areas are drawn at twice the size of the image
_FINER = 2
_SHIFT = 8  # fractional bits of OpenCV's coordinates


class Piece(NamedTuple):
    """Pixels of one label."""

    label: str
    left: int
    top: int
    bits: np.ndarray
    """bool, h x w, inside the image; its upper left pixel is at (left, top)."""


class Region(Protocol):
    """One or more labelled areas, as a tool stores them."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield the pixels in an image of `size` (width, height). Raises ValueError if the stored area is damaged."""
        ...


@dataclass(frozen=True)
class Outline:
    """An area inside one or more polygons, which are joined; no polygon is a hole.

    The pixel in column 3 reaches from 3.0 to 4.0, as in the tools. A pixel belongs to the area if its centre is inside,
    or less than a quarter of a pixel outside.
    """

    label: str
    parts: Sequence[np.ndarray]
    """Polygons, each float N x 2, (x, y); they are cut at the image's border."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield the pixels whose centres are inside."""
        width, height = size
        for part in self.parts:
            # Points far outside are moved nearer, since OpenCV's coordinates have 32 bits.
            points = np.maximum(np.minimum(part, (2 * width, 2 * height)), (-width, -height))
            (x, y), (end_x, end_y) = points.min(0).tolist(), points.max(0).tolist()
            left, top = max(math.floor(x), 0), max(math.floor(y), 0)
            right, bottom = min(math.ceil(end_x), width), min(math.ceil(end_y), height)
            if left >= right or top >= bottom:
                continue
            # OpenCV and Pillow fill every pixel that the outline touches, which makes an area half a pixel larger.
            # Drawn at twice the size and sampled at the pixels' centres, it grows by a quarter of a pixel only.
            drawn = np.zeros((_FINER * (bottom - top), _FINER * (right - left)), np.uint8)
            corners = np.round((points - (left, top)) * (_FINER << _SHIFT)).astype(np.int32)
            cv2.fillPoly(drawn, [corners], 1, shift=_SHIFT)
            yield Piece(self.label, left, top, drawn[1::2, 1::2] > 0)


@dataclass(frozen=True)
class Bitmap:
    """An area stored pixel by pixel."""

    label: str
    left: int
    top: int
    unpack: Callable[[], np.ndarray]
    """Decodes the pixels, bool h x w. Raises ValueError if they are damaged."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield the pixels that lie within the image."""
        width, height = size
        bits = self.unpack()
        left, top = max(self.left, 0), max(self.top, 0)
        inside = bits[top - self.top : max(height - self.top, 0), left - self.left : max(width - self.left, 0)]
        if inside.size:
            yield Piece(self.label, left, top, inside)


@dataclass(frozen=True)
class Picture:
    """A finished mask: a picture whose colours are labels."""

    path: Path
    labels: Mapping[int, str]
    """Colour (0xRRGGBB) -> label; pixels of other colours have none."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield the pixels of each label. Raises UserError for a file that cannot be decoded."""
        pixels = read_colours(self.path).astype(np.uint32)
        if pixels.shape[1::-1] != size:
            raise ValueError(f"its mask is {pixels.shape[1]} x {pixels.shape[0]}")
        packed = pixels[:, :, 0] << 16 | pixels[:, :, 1] << 8 | pixels[:, :, 2]
        for colour, label in self.labels.items():
            bits = packed == colour
            if bits.any():
                yield Piece(label, 0, 0, bits)


class Painted(NamedTuple):
    """A mask, and what the user should know of it."""

    mask: np.ndarray
    """uint8, H x W: class indices, 255 where there is no label."""
    covered: int
    """Pixels that were painted over with another class."""
    nameless: dict[str, int]
    """Label without a class -> how many of its regions were left out."""


def paint(regions: Sequence[Region], size: tuple[int, int], classes: Mapping[str, int]) -> Painted:
    """Paint regions into a mask, later ones over earlier ones.

    Args:
        regions: from the bottom to the top.
        size: (width, height) of the image.
        classes: label -> class index; 255 for labels that mean "ignore", which erase what is below them.

    Raises:
        ValueError: a region is damaged.
    """
    mask = np.full(size[::-1], IGNORE, np.uint8)
    covered, nameless = 0, dict[str, int]()
    for region in regions:
        for label, left, top, bits in region.pieces(size):
            if label not in classes:
                nameless[label] = nameless.get(label, 0) + 1
                continue
            part = mask[top : top + bits.shape[0], left : left + bits.shape[1]]
            bits = bits[: part.shape[0], : part.shape[1]]
            covered += int(np.count_nonzero(bits & (part != IGNORE) & (part != classes[label])))
            part[bits] = classes[label]
    return Painted(mask, covered, nameless)


def rectangle(left: float, top: float, width: float, height: float) -> np.ndarray:
    """The corners of an upright rectangle, 4 x 2."""
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def ellipse(x: float, y: float, across: float, down: float) -> np.ndarray:
    """Points on an upright ellipse around (x, y), N x 2, enough for a polygon that covers the same pixels."""
    angles = np.linspace(0, 2 * math.pi, 128, endpoint=False)
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)


def turned(points: np.ndarray, degrees: float, around: tuple[float, float]) -> np.ndarray:
    """Points turned clockwise on the screen, N x 2."""
    angle = math.radians(degrees)
    matrix = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    result: np.ndarray = (points - around) @ matrix + around
    return result
