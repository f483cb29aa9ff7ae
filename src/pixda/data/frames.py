"""The frames of a dataset: their names and files, not their pixels."""

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np


class Frame(NamedTuple):
    """One picture on disk; `mask` is None where a dataset has images only."""

    name: str
    city: str
    image: Path
    mask: Path | None


class Frames(Sequence[Frame]):
    """Many frames in little memory: arrays of bytes, since every loader process would get a copy of objects."""

    def __init__(self, root: Path, frames: Sequence[Frame]) -> None:
        def short(path: Path | None) -> bytes:
            if path is None:
                return b""
            return os.fsencode(path.relative_to(root) if path.is_relative_to(root) else path.absolute())

        self.root = root
        self._columns = [
            np.array([os.fsencode(frame.name) for frame in frames], np.bytes_),
            np.array([os.fsencode(frame.city) for frame in frames], np.bytes_),
            np.array([short(frame.image) for frame in frames], np.bytes_),
            np.array([short(frame.mask) for frame in frames], np.bytes_),
        ]

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> "Frames": ...
    def __getitem__(self, index: int | slice) -> "Frame | Frames":
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        name, city, image, mask = (os.fsdecode(column[index]) for column in self._columns)
        return Frame(name, city, self.root / image, self.root / mask if mask else None)

    @property
    def names(self) -> np.ndarray:
        """The names as bytes (`os.fsencode`), one element a frame."""
        return self._columns[0]

    def states(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield for each frame the paths of its files below the root, and their sizes and times of change."""
        root = os.fsencode(self.root)
        for image, mask in zip(self._columns[2].tolist(), self._columns[3].tolist(), strict=True):
            yield b"%b\n%b" % (image, mask), b"%b\n%b" % (_state(root, image), _state(root, mask))

    def take(self, indices: Sequence[int]) -> "Frames":
        """Return the frames at `indices`, in that order; repeats are kept."""
        taken = copy.copy(self)
        taken._columns = [column[list(indices)] for column in self._columns]
        return taken

    def without_masks(self) -> "Frames":
        """Return the same frames, as if they had no masks."""
        unlabelled = copy.copy(self)
        unlabelled._columns = [*self._columns[:3], np.zeros(len(self), np.bytes_)]
        return unlabelled


def _state(root: bytes, path: bytes) -> bytes:
    """Size and time of change of a file; empty where there is none, which decoding it will complain about."""
    try:
        # Not by Path, which would take longer than all the rest of a start with many frames.
        state = os.stat(os.path.join(root, path)) if path else None  # noqa: PTH116, PTH118
    except OSError:
        return b""
    return b"" if state is None else b"%d %d" % (state.st_size, state.st_mtime_ns)
