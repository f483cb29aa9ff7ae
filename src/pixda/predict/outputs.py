"""The folder of predictions: which exist already, and how new ones are written."""

import errno
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from pixda import writing
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.predict import ENDINGS, VIDEO_ENDING, Output
from pixda.predict.inputs import Input
from pixda.predict.network import Prediction
from pixda.reading import read_json
from pixda.sheet import letters
from pixda.training.checkpoint import differences


class Outputs:
    """A folder that predictions are written to, ``<kind>/<name of the input><ending>``.

    Also written are ``classes.json`` (names, colours, and what the predictions were made with) and ``legend.png``.

    Args:
        folder: created if it is missing.
        kinds: the kinds of pictures to write.
        classes: for colours and names.
        made_with: JSON values that decide the predictions. A folder made with other values is refused, since a job
            that goes on would mix the two.

    Raises:
        UserError: the folder has predictions of another model or other settings, or cannot be written to.
    """

    def __init__(self, folder: Path, kinds: Sequence[Output], classes: ClassSet, made_with: dict[str, Any]) -> None:
        self._folder = folder
        self._kinds = kinds
        self._palette = classes.palette()
        about = folder / "classes.json"
        if about.exists():
            _refuse_another(about, made_with)
            return
        with output_file(folder / "legend.png") as file:
            legend(classes).save(file)
        rows = [
            {"index": index, "name": name, "colour": list(colour)}
            for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
        ]
        with output_file(about) as file:
            file.write_text(json.dumps({"made_with": made_with, "classes": rows}, indent=2) + "\n", encoding="utf-8")

    def files(self, one: Input) -> dict[Output, Path]:
        """Paths of the pictures of an input, by kind. A video has an overlay only."""
        if one.video:
            return {"overlay": self._folder / "overlay" / (one.name + VIDEO_ENDING)}
        return {kind: self._folder / kind / (one.name + ENDINGS[kind]) for kind in self._kinds}

    def done(self, one: Input) -> bool:
        """Whether all pictures of an input exist, and none is older than the input."""
        try:
            changed = one.path.stat().st_mtime_ns
            return all(file.stat().st_mtime_ns >= changed for file in self.files(one).values())
        except OSError:  # a file is missing, or its name cannot exist; reading or writing it will report that
            return False

    def write(self, one: Input, image: Tensor, prediction: Prediction) -> None:
        """Write the pictures of one image (uint8 ``3 x H x W``, RGB)."""
        for kind, path in self.files(one).items():
            with output_file(path) as file:
                self._draw(kind, image, prediction).save(file, quality=92)

    def overlay(self, image: Tensor, classes: np.ndarray) -> np.ndarray:
        """Half image (uint8 ``3 x H x W``, RGB), half the colours of the classes: uint8 ``H x W x 3``, RGB."""
        return overlaid(image, classes, self._palette)

    def _draw(self, kind: Output, image: Tensor, prediction: Prediction) -> Image.Image:
        if kind == "overlay":
            return Image.fromarray(self.overlay(image, prediction.classes))
        if kind == "confidence":
            return Image.fromarray((prediction.confidence * 255).round().astype(np.uint8))
        picture = Image.fromarray(prediction.classes)
        if kind == "colour":
            picture.putpalette(self._palette.tobytes())  # looks coloured, while its pixels remain class indices
        return picture


def overlaid(image: Tensor, classes: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Half image (uint8 ``3 x H x W``, RGB), half the colours of ``H x W`` classes: uint8 ``H x W x 3``, RGB."""
    mixed: np.ndarray = cv2.addWeighted(image.permute(1, 2, 0).numpy(), 0.5, palette[classes], 0.5, 0.0)
    return mixed


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """``pixda.writing.atomic_write`` that also creates the folder, and raises errors for the user.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing.atomic_write(path) as unfinished:
            yield unfinished
    except OSError as error:
        todo = "give the input a shorter name" if error.errno == errno.ENAMETOOLONG else "choose another --out"
        raise UserError(f"{path} cannot be written ({error.strerror or error}); {todo}.") from error


def legend(classes: ClassSet) -> Image.Image:
    """The colour, the index and the name of every class, a line each."""
    line, font = 26, letters(15)
    width = 80 + max(round(font.getlength(name)) for name in classes.names)
    board = Image.new("RGB", (width, line * len(classes.names) + 8), "white")
    pen = ImageDraw.Draw(board)
    for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        top = 4 + line * index
        pen.rectangle((6, top + 3, 32, top + line - 4), fill=colour, outline="black")
        pen.text((40, top + 3), f"{index}  {name}", fill="black", font=font)
    return board


def fingerprint(weights: Path) -> str:
    """SHA-256 of a model's weights."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_another(about: Path, made_with: dict[str, Any]) -> None:
    try:
        before = dict(read_json(about, "The account of the predictions,")["made_with"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{about} does not say how its predictions were made; choose another --out.") from error
    if before != made_with:
        raise UserError(
            f"{about.parent} holds predictions made in another way ({'; '.join(differences(before, made_with))}): "
            "choose another --out, so that the two are not mixed."
        )
