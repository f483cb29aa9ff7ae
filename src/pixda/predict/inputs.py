"""Finds the files to predict, and names their outputs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixda.data.files import IMAGE_SUFFIXES, read_image
from pixda.data.search import Search
from pixda.errors import UserError

IMAGES = IMAGE_SUFFIXES
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mts", ".m2ts", ".ts", ".gif")


class Input(NamedTuple):
    """One image or video."""

    path: Path
    name: str
    """Name of its outputs, without an ending: its path below the given folder, with ``/``."""

    @property
    def video(self) -> bool:
        """Whether it is a video."""
        return self.path.suffix.lower() in VIDEOS


def find_inputs(given: Sequence[Path], out: Path | None = None, search: Search | None = None) -> list[Input]:
    """The given images and videos, and those in the given folders at any depth, in sorted order for each folder.

    Hidden files are left out, and so is everything in ``out``, which may be inside a given folder. ``search`` keeps
    account of what else was left out.

    Raises:
        UserError: a path does not exist or is of no known kind, a folder holds nothing, or two inputs have one name.
    """
    search = search or Search()
    found: dict[tuple[str, bool], Input] = {}
    for start in given:
        inputs = list(_below(start, out.resolve() if out is not None else None, search))
        if not inputs:
            what = f"The folder {start} holds no image and no video ({', '.join((*IMAGES, *VIDEOS))})."
            raise UserError(" ".join([what, *search.account]))
        for one in inputs:
            other = found.setdefault((one.name, one.video), one)
            if other.path.resolve() != one.path.resolve():
                todo = "rename one" if other.path.parent == one.path.parent else "give the folder above both"
                raise UserError(
                    f"{other.path} and {one.path} would both be written as '{one.name}': {todo}, or predict them one "
                    "by one into two --out folders."
                )
    return list(found.values())


def load_image(path: Path) -> Tensor:
    """Decode an image, upright by its EXIF orientation: uint8 ``3 x H x W``, RGB. Raises UserError naming the file."""
    return torch.from_numpy(np.array(read_image(path))).permute(2, 0, 1)


def _below(start: Path, out: Path | None, search: Search) -> Iterator[Input]:
    known = (*IMAGES, *VIDEOS)
    if start.is_file():
        if start.suffix.lower() not in known:
            raise UserError(f"{start} is neither an image nor a video by its ending; known are {', '.join(known)}.")
        yield Input(start, start.stem)
        return
    if not start.is_dir():
        raise UserError(f"There is no image, video or folder {start} here.")
    for place, folders, files in search.walk(start):
        folders[:] = [one for one in folders if (place / one).resolve() != out]
        for file in files:
            path = place / file
            if path.suffix.lower() in known:
                yield Input(path, path.relative_to(start).with_suffix("").as_posix())
            else:
                search.pass_over(path)
