from pathlib import Path

import trees
from contract import DatasetContract

from pixda.data.classes import ClassSet
from pixda.data.gta5 import GTA5

TO_CLASS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13,
    27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip


class TestGTA5(DatasetContract):
    frames = (("00001", "all"), ("00003", "all"), ("24966", "all"))
    ids = trees.GTA5_IDS
    to_class = TO_CLASS
    example = "labels/00001.png"

    def build(self, root: Path) -> Path:
        trees.gta5(root, (1, 2, 3, 15188, 24966))
        (root / "labels/15188.png").unlink()  # not in the list: of no concern to "train"
        return root

    def open(self, root: Path, size: tuple[int, int] | None = None) -> GTA5:
        return GTA5(root, "train", ClassSet.load("cityscapes-19"), size)

    def write(self, path: Path, ids) -> None:
        trees.write_palette(path, ids)

    def test_all_takes_frames_outside_the_list(self, root: Path) -> None:
        (root / "images/15188.png").unlink()
        dataset = GTA5(root, "all", ClassSet.load("cityscapes-19"))
        assert [frame.name for frame in dataset.frames] == ["00001", "00002", "00003", "24966"]
