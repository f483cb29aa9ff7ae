from pathlib import Path

import trees
from contract import DatasetContract

from pixda.data.camvid import CamVid
from pixda.data.classes import ClassSet

TO_CLASS = {raw: raw for raw in range(11)}


class TestCamVid(DatasetContract):
    frames = (("0001TP_006690", "0001TP"), ("0006R0_f00930", "0006R0"), ("0016E5_00390", "0016E5"))
    ids = trees.CAMVID_IDS
    to_class = TO_CLASS
    example = "labels/train/0001TP_006690.png"

    def build(self, root: Path) -> Path:
        return trees.camvid(
            root, {"train": ["0016E5_00390", "0001TP_006690", "0006R0_f00930"], "val": ["0016E5_07959"]}
        )

    def open(self, root: Path, size: tuple[int, int] | None = None) -> CamVid:
        return CamVid(root, "train", ClassSet.load("camvid-11"), size)

    def test_val_is_another_split(self, root: Path) -> None:
        dataset = CamVid(root, "val", ClassSet.load("camvid-11"))
        assert [frame.name for frame in dataset.frames] == ["0016E5_07959"]
