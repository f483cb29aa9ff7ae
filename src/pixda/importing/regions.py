"""Labelled areas of an image, as annotation tools store them, and how they are painted into one mask."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from pixda.data.class_file import IGNORE
from pixda.data.files import read_colours

MOST_PIXELS = 1 << 25  # 8192 x 4096: an area is drawn at twice the size of its image
_FINER = 2
_SHIFT = 8  # bits behind the point in OpenCV's coordinates


class Piece(NamedTuple):
    """Some pixels of one label."""

    label: str
    left: int
    top: int
    bits: np.ndarray
    """bool, h x w; its upper left pixel is at (left, top) of the image, and all of it lies within."""


class Region(Protocol):
    """What a tool stores of one labelled area, or of several."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield its pixels in an image of `size` (width, height). Raises ValueError for what is no such area."""
        ...


@dataclass(frozen=True)
class Outline:
    """An area within polygons; parts that overlap are one area, and none is a hole.

    Coordinates are those of the tools: the pixel in column 3 reaches from 3.0 to 4.0, and belongs to the area if its
    centre does, or lies less than a quarter of a pixel outside.
    """

    label: str
    parts: Sequence[np.ndarray]
    """Each float, N x 2, (x, y); what lies outside the image is cut off."""

    def pieces(self, size: tuple[int, int]) -> Iterator[Piece]:
        """Yield the pixels whose centres are inside."""
        width, height = size
        for part in self.parts:
            # A point far outside moves a little nearer: OpenCV counts in 32 bits.
            points = np.maximum(np.minimum(part, (2 * width, 2 * height)), (-width, -height))
            (x, y), (end_x, end_y) = points.min(0).tolist(), points.max(0).tolist()
            left, top = max(math.floor(x), 0), max(math.floor(y), 0)
            right, bottom = min(math.ceil(end_x), width), min(math.ceil(end_y), height)
            if left >= right or top >= bottom:
                continue
            # Both OpenCV and Pillow also fill every pixel that the outline touches, so that an area would grow by half
            # a pixel. Drawn twice as large, with a pixel's centre on a pixel, it grows by a quarter of one.
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
    """Gives the pixels, bool h x w, from how they are packed. Raises ValueError where that is damaged."""

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
    """Colour (0xRRGGBB) to label; other colours are no label."""

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
    """A mask, and what is to be told of it."""

    mask: np.ndarray
    """uint8, H x W: class indices, 255 where there is no label."""
    covered: int
    """Pixels that had been given to another class before."""
    nameless: dict[str, int]
    """Labels without a class, and how many of their regions were left out."""


def paint(regions: Sequence[Region], size: tuple[int, int], classes: Mapping[str, int]) -> Painted:
    """Paint regions over one another, the last one on top.

    Args:
        regions: from the lowest to the topmost.
        size: (width, height) of the image.
        classes: label to class index, 255 for labels that stand for "ignore": they erase what is below.

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
    """Points on an upright ellipse around (x, y), N x 2: so many that its polygon covers the same pixels."""
    angles = np.linspace(0, 2 * math.pi, 128, endpoint=False)
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)


def turned(points: np.ndarray, degrees: float, around: tuple[float, float]) -> np.ndarray:
    """Points turned clockwise, as they are seen, N x 2."""
    angle = math.radians(degrees)
    matrix = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    result: np.ndarray = (points - around) @ matrix + around
    return result
