from pathlib import Path

import pytest
import trees
from contract import DatasetContract

from pixda.data.cityscapes import Cityscapes
from pixda.data.classes import ClassSet
from pixda.errors import UserError

TO_CLASS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13,
    27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip


class TestCityscapes(DatasetContract):
    frames = (
        ("aachen/aachen_000000_000019", "aachen"),
        ("aachen/aachen_000001_000019", "aachen"),
        ("ulm/ulm_000000_000019", "ulm"),
    )
    ids = trees.CITYSCAPES_IDS
    to_class = TO_CLASS
    example = "gtFine/train/<city>/<city>_000000_000019_gtFine_labelIds.png"

    def build(self, root: Path) -> Path:
        return trees.cityscapes(root, {"train": {"ulm": 1, "aachen": 2}, "val": {"lindau": 1}})

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Cityscapes:
        return Cityscapes(root, "train", ClassSet.load("cityscapes-19"), size)

    def test_val_is_another_split(self, root: Path) -> None:
        dataset = Cityscapes(root, "val", ClassSet.load("cityscapes-19"))
        assert [frame.city for frame in dataset.frames] == ["lindau"]

    def test_unknown_split_lists_the_known(self, root: Path) -> None:
        with pytest.raises(UserError, match="no split 'training': choose from train, val, test"):
            Cityscapes(root, "training", ClassSet.load("cityscapes-19"))
