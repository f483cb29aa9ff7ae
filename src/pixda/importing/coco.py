"""COCO: one JSON file of instances, as polygons or as run-length codes."""

from pathlib import Path
from typing import Any

import numpy as np

from pixda.errors import UserError
from pixda.importing.export import DAMAGED, Annotated, Export, label_of, polygon, size_of
from pixda.importing.regions import Bitmap, Outline, Region
from pixda.importing.rle import coco_runs, from_runs
from pixda.reading import one_line, read_json


def read_coco(path: Path) -> Export:
    """Read a file of instances. Raises UserError for a file of another kind, or naming the damaged annotation.

    COCO does not say which area lies on top: the later one in the file does.
    """
    content = read_json(path, "The export")
    where = "its categories"
    try:
        names = {one["id"]: label_of(one["name"]) for one in content["categories"]}
        export = Export(dict.fromkeys(names.values()))
        regions: dict[Any, list[Region]] = {}
        where = "its images"
        sizes = {one["id"]: size_of(one["width"], one["height"]) for one in content["images"]}
        for one in content["annotations"]:
            where = f"annotation {str(one.get('id'))[:50]}"
            size = sizes[one["image_id"]]
            region = _region(names[one["category_id"]], one.get("segmentation"), size)
            if region is None:
                export.left_out["annotation without a segmentation"] += 1
            else:
                regions.setdefault(one["image_id"], []).append(region)
        where = "its images"
        for one in content["images"]:
            if not isinstance(one["file_name"], str):
                raise ValueError("an image without a file name")
            export.images.append(Annotated(one["file_name"], sizes[one["id"]], regions.get(one["id"], [])))
    except DAMAGED as error:
        raise UserError(
            f"{path} is no COCO file of instances, or damaged at {where} ({one_line(error)}): export it again."
        ) from error
    return export


def _region(label: str, stored: Any, size: tuple[int, int]) -> Region | None:
    """The area of a segmentation; None for an empty one."""
    if not stored:
        return None
    if isinstance(stored, list):
        # Some tools write parts of one or two points, which have no area.
        parts = [part for part in stored if len(part) >= 6]
        return Outline(label, [polygon(np.reshape(part, (-1, 2))) for part in parts])
    height, width = stored["size"]
    if (width, height) != size:
        raise ValueError(f"runs of {width} x {height} pixels for an image of {size[0]} x {size[1]}")
    counts = stored["counts"]
    runs = coco_runs(counts) if isinstance(counts, str) else [int(run) for run in counts]
    return Bitmap(label, 0, 0, lambda: from_runs(runs, *size, by_column=True))
