"""Finds out which tool an export is from, and names its reader."""

from collections.abc import Callable
from pathlib import Path

from pixda.data.exports import Found, Kind, exports_in, kind_of_json
from pixda.errors import UserError
from pixda.importing.coco import read_coco
from pixda.importing.cvat import read_cvat, read_cvat_masks
from pixda.importing.export import Export
from pixda.importing.label_studio import read_label_studio
from pixda.importing.labelme import read_labelme

READERS: dict[Kind, Callable[[Path], Export]] = {
    "cvat": read_cvat,
    "cvat-masks": read_cvat_masks,
    "label-studio": read_label_studio,
    "coco": read_coco,
    "labelme": read_labelme,
}


def recognise(path: Path, kind: Kind | None = None) -> Found:
    """Find an export in a file or a folder.

    Args:
        path: the file, or a folder with one export in it.
        kind: which one to take where a folder holds several.

    Raises:
        UserError: there is no export, or several; the message lists what is there and says what to do.
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


def _kind_of(file: Path) -> Kind:
    if file.suffix.lower() == ".xml":
        return "cvat"
    kind = kind_of_json(file) if file.suffix.lower() == ".json" else None
    if kind is None:
        raise UserError(
            f"{file} is no export that can be imported: its ending is neither .xml nor .json, or what it holds is "
            "neither a list of tasks (Label Studio), nor images with annotations (COCO), nor shapes (Labelme)."
        )
    return kind
