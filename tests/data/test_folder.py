from pathlib import Path

import pytest
import trees
from contract import DatasetContract

from pixda.data.classes import ClassSet
from pixda.data.folder import Folder
from pixda.errors import UserError

CARLA_TO_CITYSCAPES = {1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7}


class TestSplitsAndCities(DatasetContract):
    frames = (("rome/a", "rome"), ("rome/b.left", "rome"), ("turin/a", "turin"))
    ids = range(13)
    to_class = CARLA_TO_CITYSCAPES
    example = "masks/train/[<city>/]<frame>.png"

    def build(self, root: Path) -> Path:
        return trees.folder(
            root,
            ["train/rome/a.jpg", "train/rome/b.left.png", "train/turin/a.webp", "val/rome/c.png"],
            self.ids,
        )

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Folder:
        return Folder(root, "train", ClassSet.load("cityscapes-19"), size, scheme="carla")

    def test_two_images_for_one_mask(self, root: Path) -> None:
        trees.write_image(root / "images/train/rome/a.png", 0)
        with pytest.raises(UserError, match="two files for one frame"):
            self.open(root)

    def test_unknown_scheme_lists_the_known(self, root: Path) -> None:
        with pytest.raises(UserError, match=r"no column for the label scheme 'cralla'; it has .*carla"):
            Folder(root, "train", ClassSet.load("cityscapes-19"), scheme="cralla")


class TestFlat(DatasetContract):
    """Neither splits nor cities; `labels` for `masks`; palette masks; hidden files of other systems about."""

    frames = (("a", "all"), ("b", "all"))
    ids = range(13)
    to_class = CARLA_TO_CITYSCAPES
    example = "masks/[<city>/]<frame>.png"

    def build(self, root: Path) -> Path:
        trees.folder(root, ["a.jpeg", "b.PNG"], self.ids, masks="labels", write=trees.write_palette)
        (root / "images/._a.jpg").write_bytes(b"no picture")
        (root / "images/readme.txt").write_text("no picture")
        return root

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Folder:
        return Folder(root, "all", ClassSet.load("cityscapes-19"), size, scheme="carla")

    def write(self, path: Path, ids) -> None:
        trees.write_palette(path, ids)
