"""CVAT, "segmentation mask 1.1": a folder of coloured masks and the table of their colours."""

from pathlib import Path

from pixda.data.exports import COLOUR_TABLE
from pixda.data.search import Search
from pixda.errors import UserError
from pixda.importing.export import DAMAGED, Annotated, Export, label_of
from pixda.importing.regions import Picture
from pixda.reading import one_line, read_text

MASKS = "SegmentationClass"


def read_cvat_masks(folder: Path) -> Export:
    """Read the unpacked export. Raises UserError for another folder, with the line where the table is damaged.

    The colour of "background" is no label.
    """
    table = folder / COLOUR_TABLE
    masks = Search(strict=True).files(folder / MASKS, (".png",))
    if not masks:
        raise UserError(f"{folder} has no masks in {MASKS}/: export the task as 'Segmentation mask 1.1' and unpack it.")
    colours: dict[int, str] = {}
    export = Export({})
    for number, line in enumerate(read_text(table, "The table of colours").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            label, colour, *_ = line.split(":")
            red, green, blue = (int(part) for part in colour.split(","))
            packed = int.from_bytes(bytes((red, green, blue)))
            if label != "background":
                export.labels[label_of(label)] = (red, green, blue)
                colours[packed] = label_of(label)
        except DAMAGED as error:
            raise UserError(f"{table}, line {number} is no 'label:red,green,blue' ({one_line(error)}).") from error
    export.images = [Annotated(stem, None, [Picture(path, colours)]) for stem, path in sorted(masks.items())]
    return export
