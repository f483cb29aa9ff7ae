"""Choosing shots so that the first few show as many classes as possible. It reads the labels of all frames."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np
from rich.progress import track

from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame
from pixda.data.parallel import in_order
from pixda.data.shots import rank
from pixda.errors import UserError
from pixda.terminal import console

LEAST_SHARE = 1e-4
"""A class is in a frame if it has this part of its pixels: 17 of 480 x 360, 210 of 2048 x 1024."""


def classes_in(dataset: SegmentationDataset, progress: bool = True) -> np.ndarray:
    """Return which frame shows which class: bool (frames x classes), as stored.

    Raises UserError naming a mask that cannot be read. Ids outside the class set count for no class.
    """
    count = len(dataset.classes.names)

    def shown(frame: Frame) -> np.ndarray:
        pixels = np.zeros(256)
        if frame.mask is not None:
            found = dataset.labels.count(dataset.read_mask(frame.mask))
            np.add.at(pixels, dataset.labels.classes_of(found.codes), found.pixels)
        return np.asarray(pixels[:count] >= max(1.0, LEAST_SHARE * pixels.sum()))

    title = f"Reading the labels of {dataset.title} {dataset.split}"
    screen = console()
    quiet = not (progress and screen.is_terminal)
    with closing(in_order(shown, dataset.frames)) as looks:  # an interrupt waits for the masks being read, no others
        return np.array(list(track(looks, title, len(dataset), console=screen, transient=True, disable=quiet)))


def cover(names: Sequence[str], shown: np.ndarray, seed: int, count: int | None = None) -> list[str]:
    """Choose frames greedily: the next one shows the most classes that none before it shows.

    Between equals: the one with more classes in all, then the seed's draw. Once everything is shown, it begins
    again with the frames that are left, so that the list for N is the beginning of the list for N + 1.

    Args:
        names: frame names.
        shown: bool (frames x classes), from `classes_in`.
        seed: of the draw between equals.
        count: number of frames; None ends when every class that any frame shows is there.
    """
    if count is not None and not 1 <= count <= len(names):
        raise UserError(f"{count} shots were asked for; there are {len(names)} frames to choose from.")
    left = sorted(range(len(names)), key=lambda i: (-int(shown[i].sum()), rank(seed, names[i])))
    everything = shown.any(axis=0)
    if not everything.any():
        raise UserError("No frame shows any class: the masks hold ignored labels alone; see pixda check.")
    missing = everything.copy()
    chosen: list[int] = []
    while left and (len(chosen) < count if count is not None else missing.any()):
        gains = (shown[left] & missing).sum(axis=1)
        if not gains.any() and missing.sum() < everything.sum():
            missing = everything.copy()
            continue
        best = left.pop(int(gains.argmax()))
        chosen.append(best)
        missing &= ~shown[best]
    return [names[index] for index in chosen]
