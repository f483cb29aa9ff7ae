"""The comparison of an exported file with its model: on real frames, at two sizes, two frames in a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixda.config import Machine
from pixda.evaluation import predict, resized
from pixda.export.formats import Runner
from pixda.machine.devices import make_fabric
from pixda.models.segmenter import Segmenter

TOLERANCE = 0.001
"""Share of pixels whose class may differ: where two classes are equally likely, rounding decides."""


class Agreement(NamedTuple):
    """One size at which the file was compared."""

    size: tuple[int, int]
    """(width, height)."""
    frames: int
    differing: float
    """Share of pixels, 0..1, whose class differs."""

    def __str__(self) -> str:
        width, height = self.size
        return f"{width} x {height}, {self.frames} frames: {100 * self.differing:.4f} % of the pixels differ"


def compare(run: Runner, segmenter: Segmenter, frames: Sequence[Tensor], size: tuple[int, int]) -> list[Agreement]:
    """Compare a file, run in batches of two, with the segmenter, run frame by frame on the CPU as for scoring.

    Args:
        run, segmenter: the file, and what it was made from.
        frames: uint8 ``3 x H x W``, RGB, one or more. If their number is odd, the last one's mirror image is added.
        size: (width, height) of training. The second size is three quarters of it, made odd.
    """
    segmenter = segmenter.cpu().eval()
    fabric = make_fabric(Machine(accelerator="cpu"))
    pairs = [*frames, frames[-1].flip(-1)] if len(frames) % 2 else list(frames)
    found = []
    for width, height in (size, (size[0] * 3 // 4 | 1, size[1] * 3 // 4 | 1)):
        differing = 0
        for first in range(0, len(pairs), 2):
            shown = torch.stack([resized(frame, (width, height)) for frame in pairs[first : first + 2]])
            expected = np.stack([predict(segmenter, one, None, fabric).numpy() for one in shown])
            differing += int((run(shown.numpy())[0] != expected).sum())
        found.append(Agreement((width, height), len(pairs), differing / (len(pairs) * width * height)))
    return found
