"""CVAT: "for images 1.1", one XML file, and "segmentation mask 1.1", a folder of masks with a table of colours."""

from pathlib import Path
from xml.etree.ElementTree import Element

from pixda.data.exports import COLOUR_TABLE
from pixda.data.search import Search
from pixda.errors import UserError
from pixda.importing.export import DAMAGED, Annotated, Export, label_of, number, polygon, size_of
from pixda.importing.regions import Bitmap, Outline, Picture, Region, ellipse, rectangle, turned
from pixda.importing.rle import from_runs
from pixda.reading import one_line, read_text, read_xml

_MASKS = "SegmentationClass"


def read_cvat(path: Path) -> Export:
    """Read `annotations.xml`. Raises UserError for a file of another kind, or naming the image where it is damaged."""
    top = read_xml(path, "The export")
    if top.tag != "annotations":
        raise UserError(f"{path} is no export of CVAT: export the task again, in the format 'CVAT for images 1.1'.")
    if top.find("track") is not None:
        raise UserError(f"{path} is CVAT's format for videos: export the task in the format 'CVAT for images 1.1'.")
    where = "its labels"
    try:
        export = Export(
            {label_of(label.findtext("name")): _colour(label.findtext("color")) for label in top.iter("label")}
        )
        for image in top.iter("image"):
            where = f"image '{image.get('name')}'"
            shapes: list[tuple[int, Region]] = []
            for shape in image:
                region = _region(shape)
                if region is not None:
                    shapes.append((int(shape.get("z_order", 0)), region))
                    export.labels.setdefault(label_of(shape.attrib["label"]), None)
                elif shape.tag != "tag":
                    export.left_out[shape.tag] += 1
            shapes.sort(key=lambda pair: pair[0])  # keeps the order of the file within a layer
            size = size_of(image.attrib["width"], image.attrib["height"])
            export.images.append(Annotated(image.attrib["name"], size, [region for _, region in shapes]))
    except DAMAGED as error:
        raise UserError(f"{path} is damaged at {where[:200]} ({one_line(error)}): export it again.") from error
    return export


def read_cvat_masks(folder: Path) -> Export:
    """Read an unpacked export of coloured masks; the colour of "background" means that there is no label.

    Raises UserError for a folder without masks, or naming the damaged line of the table of colours.
    """
    table = folder / COLOUR_TABLE
    masks = Search(strict=True).files(folder / _MASKS, (".png",))
    if not masks:
        raise UserError(
            f"{folder} has no masks in {_MASKS}/: export the task as 'Segmentation mask 1.1' and unpack it."
        )
    colours: dict[int, str] = {}
    export = Export({})
    for row, line in enumerate(read_text(table, "The table of colours").splitlines(), start=1):
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
            raise UserError(f"{table}, line {row} is no 'label:red,green,blue' ({one_line(error)}).") from error
    export.images = [Annotated(stem, None, [Picture(path, colours)]) for stem, path in sorted(masks.items())]
    return export


def _colour(text: str | None) -> tuple[int, int, int] | None:
    if text is None or len(text) != 7 or not text.startswith("#"):
        return None
    packed = int(text[1:], 16)
    return packed >> 16, packed >> 8 & 255, packed & 255


def _region(shape: Element) -> Region | None:
    """The area of a shape; None for a shape without area, such as a line."""
    get = shape.attrib
    if shape.tag == "mask":
        width, height = size_of(get["width"], get["height"])
        runs = [int(run) for run in get["rle"].split(",")]
        return Bitmap(label_of(get["label"]), int(get["left"]), int(get["top"]), lambda: from_runs(runs, width, height))
    if shape.tag == "polygon":
        points = polygon(point.split(",") for point in get["points"].split(";"))
    elif shape.tag == "box":
        left, top, right, bottom = (number(get[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        centre = ((left + right) / 2, (top + bottom) / 2)
        points = turned(rectangle(left, top, right - left, bottom - top), number(get.get("rotation", 0)), centre)
    elif shape.tag == "ellipse":
        x, y, across, down = (number(get[key]) for key in ("cx", "cy", "rx", "ry"))
        points = turned(ellipse(x, y, across, down), number(get.get("rotation", 0)), (x, y))
    else:
        return None
    return Outline(label_of(get["label"]), [points])
