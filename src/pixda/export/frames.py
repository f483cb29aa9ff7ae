"""Real frames to compare on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pixda.data.classes import ClassSet
from pixda.data.config import Target
from pixda.data.open import open_dataset
from pixda.errors import UserError
from pixda.options import make_parser, parse
from pixda.predict.inputs import find_inputs, load_image
from pixda.reading import one_line

MOST = 8
"""Frames to compare on: enough, and quick even with a large network."""


def given_frames(given: Sequence[Path]) -> list[Tensor]:
    """Evenly spread images of those that a user named: 1 to ``MOST``, uint8 ``3 x H x W``, RGB. Videos are left out."""
    images = [one.path for one in find_inputs(given) if not one.video]
    if not images:
        raise UserError("There are only videos in --frames, and the comparison needs images: give some.")
    return _spread(images)


def own_frames(config: Mapping[str, Any], classes: ClassSet) -> list[Tensor]:
    """Evenly spread frames of the target in a run's config: 1 to ``MOST``, uint8 ``3 x H x W``, RGB.

    Raises:
        UserError: they are not on this machine, and the user has to name some.
    """
    parser = make_parser("export", "")
    parser.add_class_arguments(Target, "target")
    try:
        target: Target = parse(parser, {"target": config["target"]}).target
        root = target.root.expanduser()
        if not root.is_dir():
            raise UserError(f"there is no folder {root}.")
        if target.dataset == "streets":  # opening it would write images to a folder that the model's file names
            return _spread(sorted(root.glob(f"{target.split}-*/images/*.jpg")))
        return _spread([frame.image for frame in open_dataset(target, classes).frames])
    except Exception as error:  # a config of another version, missing files: the advice is the same
        raise UserError(
            f"The file is compared with PyTorch on real frames, and the run's own cannot be opened here "
            f"({one_line(error)}): give some images or a folder with --frames."
        ) from error


def _spread(images: Sequence[Path]) -> list[Tensor]:
    if not images:
        raise UserError("there is no image.")
    count = min(MOST, len(images))
    return [load_image(images[number * len(images) // count]) for number in range(count)]
