from pathlib import Path

import cv2
import numpy as np
import pytest
import trees
from contract import DatasetContract

from pixda.data.classes import ClassSet
from pixda.data.idda import IDDA
from pixda.errors import UserError

# The 16 classes of IDDA: all but truck, bus and train, which its "vehicles" (here: car) hold.
TO_CLASS = {
    1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7, 13: 6, 16: 18, 17: 17, 18: 12, 19: 9,
    20: 10,
}  # fmt: skip


class TestIDDA(DatasetContract):
    frames = (
        ("T01_CN_A/000000_T01_CN_A", "T01_CN_A"),
        ("T01_CN_A/000001_T01_CN_A", "T01_CN_A"),
        ("T02_CS_J/000000_T02_CS_J", "T02_CS_J"),
    )
    ids = trees.IDDA_IDS
    to_class = TO_CLASS
    example = "<scenario>/Semantic/<frame>.png"

    def build(self, root: Path) -> Path:
        return trees.idda(root, {"T01_CN_A": 2, "T02_CS_J": 1})

    def open(self, root: Path, size: tuple[int, int] | None = None) -> IDDA:
        return IDDA(root, "all", ClassSet.load("cityscapes-19"), size)

    def write(self, path: Path, ids: np.ndarray) -> None:
        trees.write_idda(path, ids)

    def test_sixteen_classes_are_left_of_nineteen(self, cityscapes19: ClassSet) -> None:
        missing = {"truck", "bus", "train"}
        assert set(cityscapes19.missing_in("idda")) == missing
        assert len(set(TO_CLASS.values())) == 16

    def test_one_scenario_is_a_split(self, root: Path) -> None:
        dataset = IDDA(root, "T02_CS_J", ClassSet.load("cityscapes-19"))
        assert [frame.name for frame in dataset.frames] == ["T02_CS_J/000000_T02_CS_J"]
        with pytest.raises(UserError, match="no frames for split 'T09_CN_A'"):
            IDDA(root, "T09_CN_A", ClassSet.load("cityscapes-19"))

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_the_class_is_read_from_red_whatever_the_bits(self, root: Path, kind) -> None:
        path = root / "T01_CN_A/Semantic/000000_T01_CN_A.png"
        ids = trees.stripes(self.ids).astype(kind)
        other = np.full_like(ids, 200)
        path.write_bytes(cv2.imencode(".png", np.stack([other, other, ids], axis=-1))[1].tobytes())
        raw = self.open(root).read_mask(path)
        assert raw.dtype == np.uint8
        assert np.array_equal(raw, ids)

    def test_grey_masks_are_refused(self, root: Path) -> None:
        trees.write_grey(root / "T01_CN_A/Semantic/000001_T01_CN_A.png", trees.stripes(self.ids))
        with pytest.raises(UserError, match=r"000001_T01_CN_A.png is no original IDDA label .*red"):
            self.open(root)[1]
