"""Every export, whole: the same road, the same car on it, the same pixels."""

import json

import exports
import numpy as np
import pytest
from exports import mask
from PIL import Image

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.data.folder import Folder
from pixda.errors import UserError
from pixda.importing.job import import_export

MAKERS = {
    "cvat": lambda folder: exports.cvat(folder / "annotations.xml"),
    "label-studio": lambda folder: exports.label_studio(folder / "project.json"),
    "coco": lambda folder: exports.coco(folder / "instances.json"),
    "labelme": lambda folder: exports.labelme(folder),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_polygons_become_the_pixels_whose_centres_are_inside(tmp_path, kind):
    MAKERS[kind](tmp_path / "export")
    exports.images(tmp_path / "export", "a.png")
    done = import_export(tmp_path / "export", tmp_path / "out")
    assert done.kind == kind
    name = "0a1b2c3d-a" if kind == "label-studio" else "a"
    assert np.array_equal(mask(tmp_path / "out", name), exports.expected())
    copied = np.asarray(Image.open(tmp_path / f"out/images/{name}.png"))
    assert np.array_equal(copied, np.asarray(Image.open(tmp_path / "export/a.png")))
    dataset = Folder(tmp_path / "out", "all", ClassSet.load(tmp_path / "out/classes.yaml"), scheme="imported")
    assert np.array_equal(dataset[0].mask.numpy(), exports.expected())
    assert dataset.classes.names == ("road", "car")


def test_cvats_masks_keep_every_pixel_and_black_is_no_label(tmp_path):
    done = import_export(exports.cvat_masks(tmp_path / "export"), tmp_path / "out")
    assert done.kind == "cvat-masks"
    assert np.array_equal(mask(tmp_path / "out"), exports.expected())
    assert done.classes.colours == ((128, 64, 128), (0, 0, 142))
    original = (tmp_path / "export/JPEGImages/a.jpg").read_bytes()
    assert (tmp_path / "out/images/a.jpg").read_bytes() == original, "copied, not packed again"


def _cvat_mask(polygon, label):
    (left, top), (right, bottom) = polygon[0], polygon[2]
    width, height = right - left, bottom - top
    return (
        f'<mask label="{label}" rle="0, {width * height}" left="{left}" top="{top}" width="{width}" '
        f'height="{height}" z_order="0"></mask>'
    )


def _box(kind):
    (left, top), (right, bottom) = exports.CAR[0], exports.CAR[2]
    if kind == "cvat":
        return f'<box label="car" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}" z_order="1"></box>'
    return {"label": "car", "points": [[right, bottom], [left, top]], "shape_type": "rectangle"}


OTHER_SHAPES = {
    "cvat masks": lambda f: exports.cvat(
        f / "a.xml", _cvat_mask(exports.ROAD, "road") + _cvat_mask(exports.CAR, "car")
    ),
    "cvat box": lambda f: exports.cvat(f / "a.xml", _box("cvat") + _cvat_mask(exports.ROAD, "road")),
    "coco packed": lambda f: exports.coco(
        f / "a.json", exports.coco_packed(exports.ROAD, True), exports.coco_packed(exports.CAR, True)
    ),
    "coco runs": lambda f: exports.coco(
        f / "a.json", exports.coco_packed(exports.ROAD, False), exports.coco_packed(exports.CAR, False)
    ),
    "brush": lambda f: exports.label_studio(
        f / "a.json",
        [
            exports.label_studio_result("brushlabels", {"format": "rle", "rle": exports.brush(exports.bits(p))}, label)
            for p, label in ((exports.ROAD, "road"), (exports.CAR, "car"))
        ],
    ),
    "label studio boxes": lambda f: exports.label_studio(
        f / "a.json",
        [
            exports.label_studio_result(
                "rectanglelabels", {"x": 0, "y": 50, "width": 100, "height": 50, "rotation": 0}, "road"
            ),
            # Turned by a quarter about its upper left corner: 3 wide and 4 high becomes 4 wide and 3 high.
            exports.label_studio_result(
                "rectanglelabels", {"x": 50, "y": 37.5, "width": 25, "height": 50, "rotation": 90}, "car"
            ),
        ],
    ),
    "labelme mask and box": lambda f: exports.labelme(
        f,
        shapes=[
            {"label": "road", "points": [[0, 4], [11, 7]], "shape_type": "mask"}
            | {"mask": exports.labelme_mask(exports.ROAD)},
            _box("labelme"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("shapes", OTHER_SHAPES)
def test_bitmaps_and_boxes_become_the_same_pixels(tmp_path, shapes):
    OTHER_SHAPES[shapes](tmp_path / "export")
    exports.images(tmp_path / "export", "a.png")
    drawn = tmp_path / "export" / "a.xml"
    import_export(drawn if drawn.exists() else tmp_path / "export", tmp_path / "out")
    name = next((tmp_path / "out/masks").iterdir()).stem
    assert np.array_equal(mask(tmp_path / "out", name), exports.expected())


def test_what_covers_no_area_is_counted(tmp_path):
    shapes = (
        '<polyline label="road" points="1,2;3,4" z_order="0"></polyline>'
        '<points label="car" points="1,2" z_order="0"></points><tag label="car"></tag>'
        f'<polygon label="road" points="{"0,0;12,0;12,8"}" z_order="0"></polygon>'
    )
    exports.cvat(tmp_path / "annotations.xml", shapes)
    exports.images(tmp_path, "a.png")
    notes = import_export(tmp_path, tmp_path / "out").notes
    assert "Left out, no area: polyline (1)." in notes
    assert "Left out, no area: points (1)." in notes
    assert not any("tag" in note for note in notes)


def test_an_ellipse_covers_what_is_within_its_radii(tmp_path):
    exports.cvat(
        tmp_path / "annotations.xml", '<ellipse label="car" cx="6" cy="4" rx="4" ry="2" z_order="0"></ellipse>'
    )
    exports.images(tmp_path, "a.png")
    import_export(tmp_path, tmp_path / "out")
    y, x = np.mgrid[0:8, 0:12] + 0.5
    inside = ((x - 6) / 4) ** 2 + ((y - 4) / 2) ** 2
    found = mask(tmp_path / "out") == 1
    assert found[inside < 0.9].all()
    assert not found[inside > 1.2].any()


WRONG = {
    "not xml": ("annotations.xml", "<annotations><image", "cannot be read as XML"),
    "entities": (
        "annotations.xml",
        '<!DOCTYPE a [<!ENTITY b "ccccc"><!ENTITY d "&b;&b;&b;">]><annotations>&d;</annotations>',
        "declares a document type",
    ),
    "another xml": ("annotations.xml", "<svg></svg>", "no export of CVAT"),
    "a cvat video": ("annotations.xml", '<annotations><track id="0"></track></annotations>', "format for videos"),
    "no number": (
        "annotations.xml",
        '<annotations><image name="b" width="12" height="8"><polygon label="x" points="1,nan;2,3;4,5"/></image>'
        "</annotations>",
        r"damaged at image 'b' \(a polygon has a point that is no number\)",
    ),
    "a giant": (
        "annotations.xml",
        '<annotations><image name="b" width="99999" height="9999"/></annotations>',
        "no size",
    ),
    "coco without a category": (
        "a.json",
        json.dumps({"images": [{"id": 1, "file_name": "a", "width": 1, "height": 1}], "categories": [], "annotations": [
            {"id": 9, "image_id": 1, "category_id": 4, "segmentation": [[0, 0, 1, 1, 1, 0]]}]}),
        "damaged at annotation 9",
    ),
    "json-min": ("a.json", json.dumps([{"data": {"image": "a.png"}, "label": []}]), "from Label Studio as 'JSON'"),
    "neither": ("a.json", json.dumps({"x": 1}), "no export that can be imported"),
    "no json": ("a.json", "{", "cannot be read as JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_another_or_a_damaged_file_is_one_sentence(tmp_path, case):
    name, content, said = WRONG[case]
    (tmp_path / name).write_text(content)
    exports.images(tmp_path, "a.png")
    with pytest.raises(UserError, match=said) as error:
        import_export(tmp_path / name, tmp_path / "out")
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


DAMAGED = {
    "runs that are too long": lambda f: exports.coco(f / "a.json", {"size": [8, 12], "counts": [0, 97]}),
    "runs below zero": lambda f: exports.coco(f / "a.json", {"size": [8, 12], "counts": [-1, 97]}),
    "runs cut in a number": lambda f: exports.coco(f / "a.json", {"size": [8, 12], "counts": "P"}),
    "a painting cut short": lambda f: exports.label_studio(
        f / "a.json", [exports.label_studio_result("brushlabels", {"format": "rle", "rle": [0, 0, 1, 128]}, "car")]
    ),
    "a mask that is no picture": lambda f: exports.labelme(
        f, shapes=[{"label": "car", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "AAAA"}]
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_bitmaps_are_one_sentence_with_their_image(tmp_path, case):
    DAMAGED[case](tmp_path)
    exports.images(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"What is drawn on '.*a\.png' is damaged|damaged at"):
        import_export(tmp_path, tmp_path / "out")


def test_a_packed_export_is_to_be_unpacked(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"unpack it, and name the folder"):
        import_export(tmp_path / "a.zip", tmp_path / "out")


def test_of_several_exports_one_is_to_be_chosen(tmp_path, capsys):
    exports.coco(tmp_path / "a.json")
    exports.cvat(tmp_path / "annotations.xml")
    exports.images(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"more than one export \(annotations.xml: cvat, a.json: coco\).*--kind"):
        import_export(tmp_path, tmp_path / "out")
    words = ["import", "--export", str(tmp_path), "--out", str(tmp_path / "out"), "--kind", "coco"]
    assert main(words) == 0
    assert "1 images with masks, 2 classes, from coco" in capsys.readouterr().out
