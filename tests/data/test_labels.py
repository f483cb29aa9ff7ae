"""Masks of colours and class sets that say colours or names: read as they are, exactly."""

from pathlib import Path

import numpy as np
import pytest
import trees
from contract import DatasetContract
from PIL import Image

from pixda.data.check import check
from pixda.data.classes import IGNORE, UNKNOWN, ClassSet
from pixda.data.folder import Folder
from pixda.data.labels import Labels
from pixda.errors import UserError

PAINTED = """
name: painted
classes:
  road: {colour: [1, 2, 3], sim: [128, 64, 128], simhex: "#804080", cityscapes: road}
  car: {colour: [1, 2, 3],  sim: [[0, 0, 142], [0, 0, 70]], simhex: ["#00008E", "#000046"], cityscapes: [car, 27-28]}
  light: {colour: [1, 2, 3], cityscapes: Traffic_Light}
ignore: {sim: [0, 0, 0], simhex: ["#000000"], cityscapes: [0-6, sky]}
"""
MEANINGS = {1: 0, 2: 1, 3: 1}
COLOURS = np.array([[0, 0, 0], [128, 64, 128], [0, 0, 142], [0, 0, 70], [250, 0, 0]], np.uint8)


@pytest.fixture
def painted(tmp_path: Path) -> ClassSet:
    path = tmp_path / "painted.yaml"
    path.write_text(PAINTED, encoding="utf-8")
    return ClassSet.load(path)


def write_colours(path: Path, ids: np.ndarray) -> None:
    """Ids 0.. stand for COLOURS; 201 for one that nobody knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(COLOURS[np.where(ids == 201, 4, ids)]).save(path)


class TestColourMasks(DatasetContract):
    frames = (("rome/a", "rome"), ("rome/b", "rome"))
    ids = range(4)
    to_class = MEANINGS
    example = "masks/[<city>/]<frame>.png"

    def build(self, root: Path) -> Path:
        return trees.folder(root, ["rome/a.png", "rome/b.jpg"], self.ids, write=write_colours)

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Folder:
        painted = root.parent / "painted.yaml"
        painted.write_text(PAINTED, encoding="utf-8")
        return Folder(root, "all", ClassSet.load(painted), size, scheme="sim")

    def write(self, path: Path, ids: np.ndarray) -> None:
        write_colours(path, ids)

    def test_unknown_id_is_named(self, root: Path) -> None:
        dataset = self.open(root)
        mask = dataset.frames[1].mask
        assert mask is not None
        self.write(mask, trees.stripes((*self.ids, 201)))
        with pytest.raises(UserError, match=r"holds the colour #fa0000.*'sim'"):
            dataset[1]
        report = check(dataset, progress=False)
        assert report.unknown == report.codes["#fa0000"] > 0
        assert "One mask holds the colour #fa0000" in report.problems[0]

    def test_palette_masks_are_read_by_their_colours(self, root: Path) -> None:
        dataset = self.open(root)
        expected = dataset[0].mask
        path = dataset.frames[0].mask
        assert path is not None
        Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE).save(path)
        assert (dataset[0].mask == expected).all()

    def test_grey_masks_are_refused(self, root: Path) -> None:
        trees.write_grey(root / "masks/rome/a.png", trees.stripes(self.ids))
        with pytest.raises(UserError, match="kind 'L', but its label scheme lists colours"):
            self.open(root)[0]


def test_hex_and_lists_are_the_same(painted: ClassSet) -> None:
    assert painted.raw_colours["sim"] == painted.raw_colours["simhex"]
    assert painted.raw_colours["sim"] == {0x804080: 0, 0x00008E: 1, 0x000046: 1, 0: IGNORE}
    assert painted.schemes == ["cityscapes", "sim", "simhex"]
    assert painted.missing_in("sim") == ["light"]
    assert ClassSet.from_dict(painted.to_dict()) == painted


def test_names_are_ids(painted: ClassSet) -> None:
    assert painted.raw_ids["cityscapes"] == {7: 0, 26: 1, 27: 1, 28: 1, 19: 2, 23: 255} | dict.fromkeys(range(7), 255)


def test_colours_are_decoded_and_counted_exactly() -> None:
    rng = np.random.default_rng(0)
    known = rng.choice(2**24, 40, replace=False).tolist()
    labels = Labels("x", True, {code: index for index, code in enumerate(known)})
    codes = rng.choice([*known, 5], (30, 50))
    raw = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
    expected = np.vectorize(lambda code: known.index(code) if code in known else UNKNOWN)(codes)
    assert np.array_equal(labels.decode(raw), expected)
    counts = labels.count(raw)
    unique, pixels = np.unique(codes, return_counts=True)
    assert np.array_equal(counts.codes, unique)
    assert np.array_equal(counts.pixels, pixels)


def test_three_numbers_alone_are_ids_where_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: n\nclasses:\n  a: {colour: [1, 2, 3], x: [1, 2, 3]}\n  b: {colour: [1, 2, 3], x: [4, 5, 6]}")
    assert ClassSet.load(path).raw_ids["x"] == {1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ('x: "#80408"', "'#80408' is no label id"),
        ("cityscapes: tram", "cityscapes has no label 'tram'; it has train"),
        ('x: ["#804080", 7]', "7 is no colour, and the column has colours"),
        ('x: ["#804080", "#804080"]', "the colour #804080 is already given to 'a'"),
        ("cityscapes: [road, 7]", "the id 7 is already given to 'a'"),
    ],
)
def test_mistakes(tmp_path: Path, columns: str, said: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"name: n\nclasses:\n  a: {{colour: [1, 2, 3], {columns}}}\n")
    with pytest.raises(UserError, match=said):
        ClassSet.load(path)
