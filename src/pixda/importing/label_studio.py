"""Label Studio: one JSON file, a list of tasks with polygons, rectangles, ellipses and brush strokes."""

import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from pixda.errors import UserError
from pixda.importing.export import DAMAGED, Annotated, Export, label_of, number, polygon, size_of
from pixda.importing.regions import Bitmap, Outline, Region, ellipse, rectangle, turned
from pixda.importing.rle import brush_bitmap
from pixda.reading import one_line, read_json

_AREAS = ("polygonlabels", "rectanglelabels", "ellipselabels", "brushlabels")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the name of an uploaded file


def read_label_studio(path: Path) -> Export:
    """Read the format "JSON". Raises UserError for another format, or naming the damaged task.

    If a task has several annotations, the first that was not cancelled is used.
    """
    tasks = read_json(path, "The export")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and "annotations" in task for task in tasks):
        raise UserError(f"{path} is no list of annotated tasks: export the project from Label Studio as 'JSON'.")
    export = Export({})
    where = ""
    try:
        for place, task in enumerate(tasks, start=1):
            where = f"task {task.get('id', place)}"
            given = [one for one in task["annotations"] if not one.get("was_cancelled")]
            if not given:
                export.left_out["task without an annotation"] += 1
                continue
            export.left_out["second annotation of a task"] += len(given) - 1
            regions: list[Region] = []
            size: tuple[int, int] | None = None
            for result in given[0]["result"]:
                kind = result.get("type")
                if kind not in _AREAS:
                    export.left_out[str(kind)[:50]] += 1
                    continue
                if result.get("image_rotation"):
                    raise ValueError("its image was turned in the editor; turn the file itself instead")
                this = size_of(result["original_width"], result["original_height"])
                if size not in (None, this):
                    raise ValueError("two sizes of one image")
                size = this
                label = label_of(result["value"][kind][0])
                export.labels.setdefault(label, None)
                regions.append(_region(kind, label, result["value"], size))
            export.images.append(Annotated(_file_name(task), size, regions))
    except DAMAGED as error:
        raise UserError(f"{path} is damaged at {where[:100]} ({one_line(error)}): export it again.") from error
    export.left_out = +export.left_out  # drops the zeros
    return export


def without_upload_mark(name: str) -> str:
    """The name that a file had before it was uploaded to Label Studio."""
    return _UPLOADED.sub("", name, count=1) if _UPLOADED.match(name) else name


def _file_name(task: dict[str, Any]) -> str:
    """The file name of a task's image, from the address in its data."""
    values = task["data"]
    address = values.get("image") or next((value for value in values.values() if isinstance(value, str)), "")
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    name = PurePosixPath(local[0] if local else unquote(parts.path)).name
    if not name:
        raise ValueError("it names no image file")
    return name


def _region(kind: str, label: str, value: dict[str, Any], size: tuple[int, int]) -> Region:
    """The area of a result; its coordinates are percentages of the image's width and height."""
    width, height = size
    scale = np.array([width, height]) / 100
    if kind == "brushlabels":
        if value.get("format") != "rle":
            raise ValueError("a painting that is not stored as 'rle'")
        code = bytes(value["rle"])
        return Bitmap(label, 0, 0, lambda: brush_bitmap(code, width, height))
    if kind == "polygonlabels":
        return Outline(label, [polygon(value["points"]) * scale])
    x, y = (number(value[key]) for key in ("x", "y"))
    degrees = number(value.get("rotation", 0))
    around = (x * width / 100, y * height / 100)
    if kind == "rectanglelabels":
        corners = rectangle(x, y, number(value["width"]), number(value["height"])) * scale
        return Outline(label, [turned(corners, degrees, around)])  # Label Studio turns it about its upper left corner
    rim = ellipse(x, y, number(value["radiusX"]), number(value["radiusY"])) * scale
    return Outline(label, [turned(rim, degrees, around)])
