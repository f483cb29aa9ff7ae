"""What becomes of labels, sizes, names and order; and from an export to a trained network."""

import json
from pathlib import Path

import exports
import numpy as np
import pytest
from exports import mask
from PIL import Image

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.data.files import read_image
from pixda.errors import UserError
from pixda.importing.job import import_export
from runs import SKY, two_domains, words


def polygon(label: str, points: str, z: int = 0) -> str:
    return f'<polygon label="{label}" points="{points}" z_order="{z}"></polygon>'


WHOLE = "0,0;12,0;12,8;0,8"


def test_the_topmost_label_counts_and_what_it_covers_is_told(tmp_path):
    exports.cvat(tmp_path / "annotations.xml", polygon("car", "2,3;6,3;6,6;2,6", 5) + polygon("road", WHOLE, -1))
    exports.images(tmp_path, "a.png")
    notes = import_export(tmp_path, tmp_path / "out").notes
    assert (mask(tmp_path / "out")[3:6, 2:6] == 1).all()
    assert np.bincount(mask(tmp_path / "out").ravel()).tolist() == [96 - 12, 12]
    assert [note for note in notes if note.startswith("12 pixels in 1 images were drawn by several labels")]
    assert not any("no label" in note for note in notes)


def test_labels_that_mean_nothing_erase_what_is_below(tmp_path):
    """A hole is drawn so in tools whose polygons have none."""
    exports.cvat(tmp_path / "annotations.xml", polygon("road", WHOLE) + polygon("__ignore__", "2,3;6,3;6,6;2,6", 1))
    exports.images(tmp_path, "a.png")
    done = import_export(tmp_path, tmp_path / "out")
    assert done.classes.names == ("road", "car")
    found = mask(tmp_path / "out")
    assert (found[3:6, 2:6] == 255).all()
    assert int((found == 255).sum()) == 12
    assert "12.5 % of the pixels have no label" in " ".join(done.notes)


def test_a_hole_in_a_packed_bitmap_stays_open(tmp_path):
    ring = exports.bits([(1, 1), (9, 1), (9, 7), (1, 7)]) & ~exports.bits([(3, 3), (5, 3), (5, 5), (3, 5)])
    counts = exports.coco_text(exports.runs(ring.T.reshape(-1)))
    exports.coco(
        tmp_path / "a.json", {"size": [8, 12], "counts": counts}, exports.coco_packed([(0, 0), (1, 0), (1, 1)], True)
    )
    exports.images(tmp_path, "a.png")
    import_export(tmp_path, tmp_path / "out")
    assert np.array_equal(mask(tmp_path / "out") == 0, ring)


def test_fractions_of_a_pixel_and_points_outside(tmp_path):
    exports.cvat(tmp_path / "annotations.xml", polygon("car", "-900,2.3;3.2,2.3;3.2,1e9;-900,1e9"))
    exports.images(tmp_path, "a.png")
    import_export(tmp_path, tmp_path / "out")
    expected = np.full((8, 12), 255, np.uint8)
    expected[2:, :3] = 1  # centres at 2.5 and 3.5: the row of 2.5 is in, the column of 3.5 is not
    assert np.array_equal(mask(tmp_path / "out"), expected)


def several(folder: Path, *names: str) -> Path:
    """A COCO file of images that each have one car on the left half."""
    content = {"categories": [{"id": 1, "name": "road"}, {"id": 2, "name": "car"}], "images": [], "annotations": []}
    for number, name in enumerate(names):
        content["images"].append({"id": number, "file_name": name, "width": 12, "height": 8})
        half = {"id": number, "image_id": number, "category_id": 2, "segmentation": [[0, 0, 6, 0, 6, 8, 0, 8]]}
        content["annotations"].append(half)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.json").write_text(json.dumps(content))
    return folder


def test_what_cannot_be_used_is_left_out_and_counted(tmp_path):
    several(tmp_path / "e", "a.png", "gone.png", "small.png")
    exports.images(tmp_path / "e", "a.png")
    exports.images(tmp_path / "e", "small.png", size=(6, 4))
    done = import_export(tmp_path / "e", tmp_path / "out")
    assert done.written == 1
    assert any(note.startswith("1 of 3 images left out, not found in") and "gone.png" in note for note in done.notes)
    assert any("small.png is 6 x 4, annotated at 12 x 8" in note for note in done.notes)
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.png")) == ["a.png", "a.png"]


def test_no_image_at_all_is_an_error_with_what_to_do(tmp_path):
    several(tmp_path / "e", "gone.png")
    with pytest.raises(UserError, match=r"No image of .* could be used: 1 of 1 images left out, not found.*--images"):
        import_export(tmp_path / "e", tmp_path / "out")
    exports.images(tmp_path / "elsewhere/deep", "gone.png")
    assert import_export(tmp_path / "e", tmp_path / "out", images=tmp_path / "elsewhere").written == 1


def test_an_export_reaches_no_file_outside_its_folder(tmp_path):
    exports.images(tmp_path, "secret.png")
    several(tmp_path / "e", "../secret.png", str(tmp_path / "secret.png"))
    with pytest.raises(UserError, match=r"two images|could be used"):
        import_export(tmp_path / "e", tmp_path / "out")
    several(tmp_path / "f", "../secret.png")
    with pytest.raises(UserError, match="No image of"):
        import_export(tmp_path / "f", tmp_path / "out")
    several(tmp_path / "g", "../../escaped/x.png")
    exports.images(tmp_path / "g", "x.png")
    import_export(tmp_path / "g", tmp_path / "g/out")
    assert (tmp_path / "g/out/images/x.png").is_file()


def test_folders_below_the_common_one_are_cities(tmp_path):
    several(tmp_path / "e", "data/rome/a.png", "data/rome/b.png", "data/turin/a.png")
    exports.images(tmp_path / "e", "rome/a.png", "rome/b.png", "turin/a.png")
    import_export(tmp_path / "e", tmp_path / "out")
    for name in ("rome/a", "rome/b", "turin/a"):
        image = np.asarray(Image.open(tmp_path / f"out/images/{name}.png"))
        assert np.array_equal(image, np.asarray(Image.open(tmp_path / f"e/{name}.png")))
        assert (tmp_path / f"out/masks/{name}.png").is_file()


def test_two_files_of_one_name_are_not_guessed_between(tmp_path):
    several(tmp_path / "e", "a.png")
    exports.images(tmp_path / "e", "x/a.png", "y/a.png")
    with pytest.raises(UserError, match=r"could both be the image 'a\.png'"):
        import_export(tmp_path / "e", tmp_path / "out")


def test_an_image_that_is_shown_turned_is_labelled_as_it_is_shown(tmp_path):
    """Annotation tools show it upright, and so do datasets: the file stays as it is."""
    several(tmp_path / "e", "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((12, 8, 3), np.uint8)  # as the camera held it
    Image.fromarray(stored).save(tmp_path / "e/a.jpg", exif=exif, quality=100)
    import_export(tmp_path / "e", tmp_path / "out")
    assert (tmp_path / "out/images/a.jpg").read_bytes() == (tmp_path / "e/a.jpg").read_bytes()
    assert mask(tmp_path / "out", "a").shape == (8, 12)
    assert read_image(tmp_path / "out/images/a.jpg").size == (12, 8)


def test_a_second_split_gets_the_classes_of_the_first(tmp_path):
    exports.labelme(tmp_path / "train")
    exports.images(tmp_path / "train", "a.png")
    exports.labelme(
        tmp_path / "val", "b", [{"label": "Car", "points": exports.ROAD, "shape_type": "polygon"},
                                {"label": "tram", "points": exports.CAR, "shape_type": "polygon"}],
    )  # fmt: skip
    exports.images(tmp_path / "val", "b.png")
    import_export(tmp_path / "train", tmp_path / "out", split="train")
    done = import_export(tmp_path / "val", tmp_path / "out", split="val")
    assert done.classes.names == ("road", "car")
    assert set(np.unique(mask(tmp_path / "out", "val/b"))) == {1, 255}, "the car is class 1, as in the first split"
    assert "The label 'tram' is no class: 1 of its areas left out." in done.notes
    with pytest.raises(UserError, match="holds files already"):
        import_export(tmp_path / "val", tmp_path / "out", split="val")
    with pytest.raises(UserError, match="leave --classes out"):
        import_export(tmp_path / "val", tmp_path / "out", split="more", classes="camvid-11")


def test_the_classes_of_a_class_set_and_their_other_columns(tmp_path):
    exports.coco(tmp_path / "a.json")
    exports.images(tmp_path, "a.png")
    import_export(tmp_path, tmp_path / "out", classes="cityscapes-19")
    assert np.array_equal(mask(tmp_path / "out"), exports.expected(road=0, car=13))
    written, shipped = ClassSet.load(tmp_path / "out/classes.yaml"), ClassSet.load("cityscapes-19")
    assert (written.names, written.colours, written.protocols) == (shipped.names, shipped.colours, shipped.protocols)
    assert written.raw_ids["imported"] == {**{index: index for index in range(19)}, 255: 255}
    assert {scheme: ids for scheme, ids in written.raw_ids.items() if scheme != "imported"} == shipped.raw_ids


def test_labels_of_another_class_set_are_refused(tmp_path):
    several(tmp_path, "a.png")
    exports.images(tmp_path, "a.png")
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nclasses: {tree: {colour: [1, 2, 3], x: 1}}\n")
    with pytest.raises(UserError, match=r"None of the labels \(road, car\) is a class of 'own' \(tree\)"):
        import_export(tmp_path, tmp_path / "out", classes=own)
    assert not (tmp_path / "out").exists()


def test_colours_of_a_class_set_survive(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        'name: own\nclasses:\n  car: {colour: [1, 2, 3], sim: ["#00008e", "#000046"], x: 3}\n'
        "  road: {colour: [4, 5, 6], x: 0-2}\n"
        'ignore: {sim: "#000000"}\n'
    )
    several(tmp_path, "a.png")
    exports.images(tmp_path, "a.png")
    import_export(tmp_path, tmp_path / "out", classes=own)
    written = ClassSet.load(tmp_path / "out/classes.yaml")
    assert written.raw_colours == ClassSet.load(own).raw_colours
    assert written.raw_ids["x"] == ClassSet.load(own).raw_ids["x"]


def as_labelme(folder: Path, images: Path) -> None:
    """The frames of `two_domains`, drawn again with polygons: sky above, road below, no car."""
    folder.mkdir(parents=True)
    for path in sorted(images.rglob("*.png")):
        name = "_".join(path.relative_to(images).with_suffix("").parts)
        Image.open(path).save(folder / f"{name}.png")
        shapes = [
            {"label": "Sky", "points": [[0, 0], [64, 0], [64, 24], [0, 24]], "shape_type": "polygon"},
            {"label": "Road", "points": [[0, 24], [64, 24], [64, 48], [0, 48]], "shape_type": "polygon"},
        ]
        content = {"shapes": shapes, "imagePath": f"{name}.png", "imageWidth": 64, "imageHeight": 48}
        (folder / f"{name}.json").write_text(json.dumps(content))


def test_from_an_export_to_a_trained_network(tmp_path, capsys):
    root = two_domains(tmp_path)
    for split in ("train", "val"):
        as_labelme(tmp_path / f"drawn/{split}", root / "target/images" / split)
        given = [
            "import",
            "--export",
            str(tmp_path / "drawn" / split),
            "--out",
            str(tmp_path / "shots"),
            "--split",
            split,
        ]
        assert main([*given, *(["--classes", "cityscapes-19"] if split == "train" else [])]) == 0
    told = capsys.readouterr().out
    assert "6 images with masks, 19 classes, from labelme" in told
    classes = tmp_path / "shots/classes.yaml"
    look = ["check", "--runs", str(tmp_path), "--data.dataset", "folder", "--data.root", str(tmp_path / "shots")]
    assert main([*look, "--data.split", "train", "--data.scheme", "imported", "--classes", str(classes)]) == 0
    learn = ["--recipe.pretrain_steps=60", "--recipe.segmenter.lr=0.02", "--recipe.joint_steps=60"]
    target = [f"--target.root={tmp_path / 'shots'}", "--target.scheme=imported", "--target.shots=all"]
    out = tmp_path / "run"
    assert main(words(root, out, *target, f"--classes={classes}", *learn, method="joint")) == 0
    scores = json.loads((out / "scores.json").read_text())
    assert scores["frames"] == 3
    assert scores["pixel_accuracy"] > 0.5, f"sky ({SKY}) and road of the source are those of the shots"
