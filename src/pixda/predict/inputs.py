"""Which files are predicted, and what their outputs are called."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import ImageOps
from torch import Tensor

from pixda.data.files import IMAGE_SUFFIXES, read_image
from pixda.errors import UserError

IMAGES = (*IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


class Input(NamedTuple):
    """One image or video."""

    path: Path
    name: str
    """Of its outputs, without an ending: its place below the folder that was given, with ``/``."""

    @property
    def video(self) -> bool:
        """Whether it is a video."""
        return self.path.suffix.lower() in VIDEOS


def find_inputs(given: Sequence[Path], out: Path | None = None) -> list[Input]:
    """The images and videos that a user named, and those in the folders named, at any depth; sorted in a folder.

    Hidden files are left out, and so is what lies in ``out``, since it may lie in a folder that is given.

    Raises:
        UserError: a path is not there or is of no known kind, a folder holds nothing, or two inputs have one name.
    """
    found: dict[tuple[str, bool], Input] = {}
    for start in given:
        inputs = list(_below(start, out.resolve() if out is not None else None))
        if not inputs:
            raise UserError(f"The folder {start} holds no image and no video ({', '.join((*IMAGES, *VIDEOS))}).")
        for one in inputs:
            other = found.setdefault((one.name, one.video), one)
            if other.path.resolve() != one.path.resolve():
                raise UserError(
                    f"{other.path} and {one.path} would both be written as '{one.name}': give the folder above both, "
                    "or predict them into two --out folders."
                )
    return list(found.values())


def load_image(path: Path) -> Tensor:
    """Decode an image, turned as its camera says: uint8 ``3 x H x W``, RGB. Raises UserError naming the file."""
    image = read_image(path)
    with suppress(Exception):  # damaged camera data beside a picture that is whole: it stays as it lies
        image = ImageOps.exif_transpose(image)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _below(start: Path, out: Path | None) -> Iterator[Input]:
    known = (*IMAGES, *VIDEOS)
    if start.is_file():
        if start.suffix.lower() not in known:
            raise UserError(f"{start} is neither an image nor a video by its ending; known are {', '.join(known)}.")
        yield Input(start, start.stem)
        return
    if not start.is_dir():
        raise UserError(f"There is no image, video or folder {start} here.")
    for folder, folders, files in os.walk(start):
        place = Path(folder)
        folders[:] = sorted(one for one in folders if not one.startswith(".") and (place / one).resolve() != out)
        for file in sorted(files):
            path = place / file
            if path.suffix.lower() in known and not file.startswith("."):
                yield Input(path, path.relative_to(start).with_suffix("").as_posix())
