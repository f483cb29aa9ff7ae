"""Exports of annotation tools in a folder, told by what is in them; `pixda.importing` reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pixda.reading import read_json

Kind = Literal["cvat", "cvat-masks", "label-studio", "coco", "labelme"]

COLOUR_TABLE = "labelmap.txt"
"""Which colour is which label, in an export of CVAT's masks."""


class Found(NamedTuple):
    """An export and the reader for it."""

    kind: Kind
    path: Path
    """The file, or for cvat-masks and labelme the folder."""


def exports_in(folder: Path) -> Iterator[Found]:
    """Yield the exports right in a folder. Raises UserError for a JSON file that cannot be read."""
    if (folder / COLOUR_TABLE).is_file():
        yield Found("cvat-masks", folder)
    if (folder / "annotations.xml").is_file():
        yield Found("cvat", folder / "annotations.xml")
    labelme = False  # all its files in one folder are one export
    for file in sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")]):
        kind = kind_of_json(file)
        if kind == "labelme" and not labelme and file.parent == folder:
            labelme = True
            yield Found("labelme", folder)
        elif kind in ("label-studio", "coco"):
            yield Found(kind, file)


def kind_of_json(file: Path) -> Kind | None:
    """Which kind a JSON file is; None for any other JSON. Raises UserError for one that cannot be read."""
    content: Any = read_json(file, "The export")
    if isinstance(content, list) and content and isinstance(content[0], dict) and "data" in content[0]:
        return "label-studio"
    if isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys():
        return "coco"
    if isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys():
        return "labelme"
    return None
