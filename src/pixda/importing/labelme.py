"""Labelme: a JSON file beside each image."""

import base64
import io
import math
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from pixda.errors import UserError
from pixda.importing.export import DAMAGED, Annotated, Export, label_of, number, polygon, size_of
from pixda.importing.regions import Bitmap, Outline, Region, ellipse, rectangle
from pixda.reading import one_line, read_json


def read_labelme(path: Path) -> Export:
    """Read one JSON file, or all of a folder. Raises UserError naming a file that Labelme did not write.

    An image stored inside a JSON file is not used, only the image file that it names.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path} holds no JSON files of Labelme: name the folder that they are in.")
    export = Export({})
    for file in files:
        content = read_json(file, "The annotation")
        try:
            size = size_of(content["imageWidth"], content["imageHeight"])
            regions: list[Region] = []
            for shape in content["shapes"]:
                region = _region(shape)
                if region is None:
                    export.left_out[str(shape["shape_type"])[:50]] += 1
                else:
                    regions.append(region)
                    export.labels.setdefault(label_of(shape["label"]), None)
            # Written on Windows, the path has backslashes; PureWindowsPath splits at both kinds on any system.
            name = PureWindowsPath(content["imagePath"]).name
            export.images.append(Annotated(name, size, regions))
        except DAMAGED as error:
            raise UserError(
                f"{file} is no annotation of Labelme, or damaged ({one_line(error)}): save it again, or take it away."
            ) from error
    return export


def _region(shape: dict[str, Any]) -> Region | None:
    """The area of a shape; None for a shape without area, such as a line."""
    label, kind = label_of(shape["label"]), shape.get("shape_type") or "polygon"
    points = [(number(x), number(y)) for x, y in shape["points"]]
    if kind == "polygon":
        return Outline(label, [polygon(points)])
    if kind == "rectangle":
        (a, b), (c, d) = points
        return Outline(label, [rectangle(min(a, c), min(b, d), abs(c - a), abs(d - b))])
    if kind == "circle":
        (x, y), (rim_x, rim_y) = points
        radius = math.hypot(rim_x - x, rim_y - y)
        return Outline(label, [ellipse(x, y, radius, radius)])
    if kind == "mask":
        (left, top), _ = points
        packed = base64.b64decode(shape["mask"], validate=True)
        return Bitmap(label, int(left), int(top), lambda: _bitmap(packed))
    return None


def _bitmap(packed: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(packed), formats=("PNG",)) as file:
            size_of(*file.size)
            return np.asarray(file.convert("L")) > 0
    except Exception as error:  # a decoder may raise anything for damaged bytes
        raise ValueError(f"its mask cannot be decoded ({error})") from error
