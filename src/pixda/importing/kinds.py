"""Which tool an export is from, told by what is in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pixda.errors import UserError
from pixda.importing.coco import read_coco
from pixda.importing.cvat import read_cvat
from pixda.importing.cvat_masks import TABLE, read_cvat_masks
from pixda.importing.export import Export, Kind
from pixda.importing.label_studio import read_label_studio
from pixda.importing.labelme import read_labelme
from pixda.reading import read_json

READERS: dict[Kind, Callable[[Path], Export]] = {
    "cvat": read_cvat,
    "cvat-masks": read_cvat_masks,
    "label-studio": read_label_studio,
    "coco": read_coco,
    "labelme": read_labelme,
}


class Found(NamedTuple):
    """An export and the reader for it."""

    kind: Kind
    path: Path
    """The file, or for cvat-masks and labelme the folder."""


def recognise(path: Path, kind: Kind | None = None) -> Found:
    """Find an export in a file or a folder.

    Args:
        path: the file, or a folder with one export in it.
        kind: which it is, where a folder holds several.

    Raises:
        UserError: there is none, or there are several; with what is there and what to do.
    """
    if not path.exists():
        raise UserError(f"There is no {path}: name the file that the annotation tool has exported, or its folder.")
    if path.suffix.lower() == ".zip":
        raise UserError(f"{path} is packed: unpack it, and name the folder.")
    found = list(exports_in(path)) if path.is_dir() else [Found(_kind_of(path), path)]
    fitting = [one for one in found if kind in (None, one.kind)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"{path} holds more than one export ({', '.join(f'{one.path.name}: {one.kind}' for one in fitting[:5])}): "
            "name one of the files, or choose with --kind."
        )
    there = f"; it is {', '.join(one.kind for one in found)}" if found else ""
    raise UserError(
        f"{path} is no export{' of the kind ' + kind if kind else ''} that can be imported{there}. What can be: "
        "CVAT for images 1.1 (XML), CVAT's segmentation masks, Label Studio's JSON, COCO instances, Labelme's files."
    )


def exports_in(folder: Path) -> Iterator[Found]:
    """Yield the exports right in a folder. Raises UserError for a JSON file that cannot be read."""
    if (folder / TABLE).is_file():
        yield Found("cvat-masks", folder)
    if (folder / "annotations.xml").is_file():
        yield Found("cvat", folder / "annotations.xml")
    labelme = False  # all its files in one folder are one export
    for file in sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")]):
        kind = _kind_of_json(file)
        if kind == "labelme" and not labelme and file.parent == folder:
            labelme = True
            yield Found("labelme", folder)
        elif kind in ("label-studio", "coco"):
            yield Found(kind, file)


def _kind_of(file: Path) -> Kind:
    if file.suffix.lower() == ".xml":
        return "cvat"
    kind = _kind_of_json(file) if file.suffix.lower() == ".json" else None
    if kind is None:
        raise UserError(
            f"{file} is no export that can be imported: its ending is neither .xml nor .json, or what it holds is "
            "neither a list of tasks (Label Studio), nor images with annotations (COCO), nor shapes (Labelme)."
        )
    return kind


def _kind_of_json(file: Path) -> Kind | None:
    content: Any = read_json(file, "The export")
    if isinstance(content, list) and content and isinstance(content[0], dict) and "data" in content[0]:
        return "label-studio"
    if isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys():
        return "coco"
    if isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys():
        return "labelme"
    return None
