"""Run-length codes of bitmaps: COCO's, CVAT's and Label Studio's. Damaged ones raise ValueError."""

from collections.abc import Sequence

import numpy as np


def from_runs(runs: Sequence[int], width: int, height: int, by_column: bool = False) -> np.ndarray:
    """The bitmap (bool, h x w) of these run lengths, the first of which counts zeros.

    CVAT stores bitmaps row by row, COCO column by column.
    """
    lengths = np.asarray(runs, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != width * height:
        raise ValueError(f"runs of {width * height} pixels in all are needed")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T if by_column else flat.reshape(height, width)


def coco_runs(text: str) -> list[int]:
    """The run lengths in COCO's compressed text.

    Each number is written in characters of 5 bits, the lowest first, with a sixth bit that says whether more follow.
    From the fourth number on, the difference to the number two places before is stored.
    """
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > 30:
            raise ValueError(f"'{character}' does not belong into compressed runs")
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    if bits:
        raise ValueError("the compressed runs end in the middle of a number")
    return runs


def brush_bitmap(code: bytes, width: int, height: int) -> np.ndarray:
    """What Label Studio's brush has painted, as bool (h x w): the pixels that are not transparent.

    The code is a stream of bits: the number of values (4 a pixel, RGBA), the bits of a value, the bits of the four
    kinds of run lengths; then the runs, each either one repeated value or several values in a row.
    """
    stream = _Bits(code)
    count, size = stream.read(32), stream.read(5) + 1
    if count != 4 * width * height or size > 8:
        raise ValueError(f"a painting of {width} x {height} pixels was expected")
    lengths = [stream.read(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeated = stream.read(1)
        run = 1 + stream.read(lengths[stream.read(2)])
        if at + run > count:
            raise ValueError("the painting has more values than it says")
        if repeated:
            values[at : at + run] = stream.read(size)
        else:
            values[at : at + run] = [stream.read(size) for _ in range(run)]
        at += run
    return values[3::4].reshape(height, width) > 0


class _Bits:
    """A stream of bits, the highest bit of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, count: int) -> int:
        """The number in the next bits."""
        end = self._at + count
        if end > 8 * len(self._data):
            raise ValueError("the painting is cut short")
        word = int.from_bytes(self._data[self._at // 8 : -(-end // 8)])
        self._at = end
        return word >> (-end % 8) & ((1 << count) - 1)
