"""From raw masks to class indices, by the ids or the colours of a label scheme."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from pixda.data.files import read_colours, read_ids

UNKNOWN = 254
"""Class of a pixel whose id or colour the label scheme does not have."""


class Counts(NamedTuple):
    """Raw codes in a mask, rising, and how many pixels hold each; int64 both."""

    codes: np.ndarray
    pixels: np.ndarray


class Labels:
    """One label scheme. A raw mask is uint8: H x W of ids, or H x W x 3 of RGB colours where `coloured`.

    A code is an id (0..255), or a colour packed to 24 bits (0xRRGGBB). `classes` gives each known code its class
    index, or 255 for ignored ones.
    """

    def __init__(self, scheme: str, coloured: bool, classes: Mapping[int, int]) -> None:
        self.scheme, self.coloured = scheme, coloured
        self.codes = np.array(sorted(classes), np.int64)
        """All known codes, rising."""
        self._classes = np.array([classes[code] for code in sorted(classes)], np.uint8)
        self.table: np.ndarray = self.classes_of(np.arange(256))
        """For ids, the uint8 table (256,): class index, 255 (ignored) or UNKNOWN."""

    def read(self, path: Path) -> np.ndarray:
        """Decode a mask file as it is. Raises UserError for one that is not of the scheme's kind."""
        return read_colours(path) if self.coloured else read_ids(path)

    def classes_of(self, codes: np.ndarray) -> np.ndarray:
        """Return the class index (uint8) of each code, 255 where ignored, UNKNOWN where there is no such code."""
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        classes: np.ndarray = np.where(self.codes[places] == codes, self._classes[places], np.uint8(UNKNOWN))
        return classes

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """Return the class indices of a raw mask, uint8 (H x W)."""
        if not self.coloured:
            return np.asarray(cv2.LUT(raw, self.table))  # four times as fast as numpy's indexing
        codes, lengths = _runs(raw)
        return np.repeat(self.classes_of(codes), lengths).reshape(raw.shape[:2])

    def count(self, raw: np.ndarray) -> Counts:
        """Count the pixels of every code in a raw mask."""
        if not self.coloured:
            pixels = np.array(Image.fromarray(raw).histogram(), np.int64)  # many times as fast as numpy's count
            return Counts(np.flatnonzero(pixels), pixels[pixels > 0])
        codes, lengths = _runs(raw)
        unique, inverse = np.unique(codes, return_inverse=True)
        return Counts(unique.astype(np.int64), np.bincount(inverse, lengths).astype(np.int64))

    def shown(self, code: int) -> str:
        """Return a code as a class set writes it: "7", or "#804080"."""
        return f"#{code:06x}" if self.coloured else str(code)


def _runs(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return colour (0xRRGGBB) and length of every run of equal pixels: masks have far fewer runs than pixels."""
    red, green, blue = (colours[:, :, channel].astype(np.uint32) for channel in range(3))
    packed = (red << 16 | green << 8 | blue).ravel()
    starts = np.concatenate([[0], np.flatnonzero(packed[1:] != packed[:-1]) + 1])
    return packed[starts], np.diff(starts, append=len(packed))
