"""What the doctor finds in trees that are ill in many ways at once."""

import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.doctor import diagnose
from pixda.data.layouts import recognise
from pixda.data.public_datasets import CamVid, Synthia
from pixda.errors import UserError

TRAIN = [f"0001TP_{number:06d}" for number in range(4)]
VAL = [f"0016E5_{number:05d}" for number in range(4, 6)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = trees.camvid(tmp_path / "camvid", {"train": TRAIN, "val": VAL})
    for number, name in enumerate(VAL):  # the tree's own pictures repeat from split to split
        trees.write_image(root / f"images/val/{name}.jpg", 100 + number)
    return root


def opened(root: Path, split: str) -> CamVid:
    return CamVid(root, split, ClassSet.load("camvid-11"), strict=False)


def texts(root: Path, level: str) -> str:
    sets = {"shots": partial(opened, root, "train"), "test": partial(opened, root, "val")}
    return "\n".join(f"{one.about}: {one.text}" for one in diagnose(sets, None, False).findings if one.level == level)


def test_a_sound_tree_has_no_findings(root: Path) -> None:
    assert texts(root, "error") == texts(root, "warning") == ""


def test_everything_is_found_at_once(root: Path) -> None:
    (root / "labels/train" / f"{TRAIN[0]}.png").unlink()
    (root / "images/train" / f"{TRAIN[1]}.jpg").write_bytes(b"no picture")
    (root / "labels/train" / f"{TRAIN[1]}.png").write_bytes(b"no picture")
    trees.write_image(root / "images/train/alone.jpg", 9)
    trees.write_grey(root / "labels/train" / f"{TRAIN[2]}.png", trees.stripes((3, 40)))
    shutil.copy(root / "images/val" / f"{VAL[0]}.jpg", root / "images/train" / f"{TRAIN[3]}.jpg")
    trees.write_grey(root / "labels/val" / f"{VAL[0]}.png", np.full(trees.SIZE[::-1], 11, np.uint8))
    (root / "labels/val/more.png").write_bytes(b"")
    errors = texts(root, "error").splitlines()
    assert len(errors) == 6
    for part, error in zip(
        (
            "shots: CamVid in .* 2 of 5 images have no mask",
            f"shots: The image .*{TRAIN[1]}.jpg cannot be decoded",
            f"shots: The mask .*{TRAIN[1]}.png cannot be decoded",
            "shots: One mask holds the label id 40",
            "test: .* 1 of 3 masks have no image",
            f"shots, test: 1 of the shots are test frames too .{TRAIN[3]} = {VAL[0]}",
        ),
        errors,
        strict=True,
    ):
        assert re.search(part, error), error
    assert "test: 1 mask is all of one label" in texts(root, "warning")


def test_one_set_that_cannot_be_opened_does_not_hide_the_others(root: Path) -> None:
    shutil.rmtree(root / "images/train")
    shutil.rmtree(root / "labels/train")
    (root / "labels/val" / f"{VAL[0]}.png").write_bytes(b"")
    errors = texts(root, "error")
    assert "no frames for split 'train'" in errors
    assert "cannot be decoded" in errors


def test_no_pair_at_all_says_so(root: Path) -> None:
    for path in (root / "labels/train").iterdir():
        path.rename(path.with_name(f"mask_{path.name}"))
    assert "4 of 4 images have no mask" in texts(root, "error")


def test_blank_images_copies_and_ignored_pixels_are_warned_of(root: Path) -> None:
    Image.new("RGB", trees.SIZE).save(root / "images/train" / f"{TRAIN[0]}.jpg")
    shutil.copy(root / "images/train" / f"{TRAIN[2]}.jpg", root / "images/train" / f"{TRAIN[1]}.jpg")
    for name in TRAIN:
        trees.write_grey(root / f"labels/train/{name}.png", trees.stripes((11, 11, 3)))
    warned = texts(root, "warning")
    assert f"1 image is all of one colour ({root / 'images/train' / TRAIN[0]}.jpg)" in warned
    assert f"1 picture is there under several names ({TRAIN[1]} = {TRAIN[2]})" in warned
    assert "67 % of all pixels are ignored; see whether 'camvid'" in warned


def test_classes_that_one_domain_cannot_teach(root: Path) -> None:
    for name in TRAIN:
        trees.write_grey(root / f"labels/train/{name}.png", trees.stripes((0, 1, 10)))
    trees.synthia(root / "synthia", 2)
    for number in range(2):
        trees.write_synthia(root / f"synthia/GT/LABELS/{number:07d}.png", trees.stripes((1, 3)))
    source = partial(Synthia, root / "synthia", "train", ClassSet.load("camvid-11"))
    found = diagnose({"source": source, "shots": partial(opened, root, "train")}, None, False)
    said = "\n".join(one.text for one in found.findings)
    assert "pole, pavement, tree, sign, fence, car, pedestrian: in neither" in said
    assert "building, bicyclist: not in the source (no pixel there)" in said
    assert "road: not in the shots" in said
    assert found.errors == 0
    assert found.sets["source"].report.masks == {"72 x 36, 16-bit RGB PNG": 2}


def test_ids_of_another_scheme_are_recognised(root: Path) -> None:
    for name in TRAIN:
        trees.write_grey(root / f"labels/train/{name}.png", trees.stripes((0, 7, 26, 33)))
    problems = check(opened(root, "train"), progress=False).problems
    assert all("fits the label scheme 'cityscapes' or 'gta5'" in text for text in problems)


def test_many_unknown_colours_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text('name: n\nclasses: {a: {colour: [1, 2, 3], x: "#804080"}}')
    trees.folder(tmp_path, ["a.png"], [0], write=lambda path, ids: trees.write_image(path, 3))
    with pytest.raises(UserError, match="no label scheme of class set 'n' has all their labels: #"):
        recognise(tmp_path, ClassSet.load(path))


class TestLayouts:
    def found(self, root: Path) -> list[tuple[str, str, str | None]]:
        return [(x.data.dataset, x.data.split, x.data.scheme) for x in recognise(root, ClassSet.load("cityscapes-19"))]

    def test_every_known_layout_is_recognised(self, tmp_path: Path, root: Path) -> None:
        trees.cityscapes(tmp_path / "c", {"train": {"ulm": 1}, "val": {"lindau": 1}})
        assert self.found(tmp_path / "c") == [("cityscapes", "train", None), ("cityscapes", "val", None)]
        assert self.found(trees.gta5(tmp_path / "g", [1])) == [("gta5", "all", None)]
        assert self.found(trees.urbansyn(tmp_path / "u", 1)) == [("urbansyn", "train", None)]
        assert self.found(trees.synscapes(tmp_path / "sy", 1)) == [("synscapes", "train", None)]
        assert self.found(trees.synthia(tmp_path / "s", 1)) == [("synthia", "train", None)]
        trees.idda(tmp_path / "i", {"T01_CN_A": 1, "T02_CS_J": 1})
        assert self.found(tmp_path / "i") == [("idda", "all", None)]
        (one,) = recognise(tmp_path / "i/T02_CS_J", ClassSet.load("cityscapes-19"))
        assert (one.data.dataset, one.data.root, one.data.split) == ("idda", tmp_path / "i", "T02_CS_J")
        assert self.found(root) == [("camvid", "train", None), ("camvid", "val", None)]

    def test_own_folders_with_splits_or_cities(self, tmp_path: Path) -> None:
        trees.folder(tmp_path / "a", ["train/rome/a.png", "val/rome/b.png"], range(13))
        assert self.found(tmp_path / "a") == [("folder", "train", "carla"), ("folder", "val", "carla")]
        trees.folder(tmp_path / "b", ["rome/a.png"], range(34), masks="labels", write=trees.write_palette)
        (one,) = recognise(tmp_path / "b", ClassSet.load("cityscapes-19"))
        assert (
            one.options()
            == f"--data.dataset folder --data.root {tmp_path / 'b'} --data.split all --data.scheme cityscapes"
        )
        assert "8-bit palette PNG" in one.why

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda root: trees.folder(root, ["a.png"], [77]), "has all their labels: 77. Copy"),
            (lambda root: trees.write_image(root / "images/a.png", 0), "pictures and no masks: pixda suggest"),
            (
                lambda root: [trees.write_image(root / f"{d}/a.png", 0) for d in ("img", "ann")],
                "1 files in ann/ and img/",
            ),
            (lambda root: (root / "x.txt").write_text(""), "of no known layout .*found there: x.txt"),
        ],
    )
    def test_what_is_not_recognised_gets_a_way_out(self, tmp_path: Path, make, said: str) -> None:
        make(tmp_path)
        with pytest.raises(UserError, match=said):
            self.found(tmp_path)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="There is no folder"):
            self.found(tmp_path / "nowhere")
