"""Decoded samples that are read from one large file by memory-mapping; `pixda.data.cache` makes the file."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor


class Stored:
    """Image and mask of a dataset's frames, in a file of uint8 samples ``4 x H x W`` (RGB, class indices).

    The file's pages are the system's: all processes that read it share them.

    Args:
        path: the file.
        size: (width, height) of every sample.
        rows: int64, which sample of the file each frame is.
    """

    def __init__(self, path: Path, size: tuple[int, int], rows: np.ndarray) -> None:
        self.path, self.size, self._rows = path, size, rows
        self._samples: np.ndarray | None = None

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image (3 x H x W) and mask (H x W) of a frame, the caller's own."""
        if self._samples is None:  # every process maps the file itself
            width, height = self.size
            self._samples = np.memmap(self.path, np.uint8, "r", shape=(int(self._rows.max()) + 1, 4, height, width))
        sample = torch.from_numpy(np.array(self._samples[self._rows[index]]))
        return sample[:3], sample[3]

    def take(self, indices: Sequence[int]) -> Self:
        """Return those of the frames at `indices`, in that order; repeats are kept."""
        taken = copy.copy(self)
        taken._rows = self._rows[list(indices)]
        return taken

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_samples": None}
