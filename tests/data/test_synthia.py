from pathlib import Path

import numpy as np
import pytest
import trees
from contract import DatasetContract

from pixda.data.classes import ClassSet
from pixda.data.synthia import Synthia
from pixda.errors import UserError

TO_CLASS = {
    1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 17, 15: 6, 16: 9, 17: 12,
    18: 14, 19: 15, 20: 16, 21: 3, 22: 0,
}  # fmt: skip


class TestSynthia(DatasetContract):
    frames = (("0000000", "all"), ("0000001", "all"))
    ids = trees.SYNTHIA_IDS
    to_class = TO_CLASS
    example = "GT/LABELS/0000000.png"

    def build(self, root: Path) -> Path:
        return trees.synthia(root, 2)

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Synthia:
        return Synthia(root, "train", ClassSet.load("cityscapes-19"), size)

    def write(self, path: Path, ids: np.ndarray) -> None:
        trees.write_synthia(path, ids)

    def test_class_is_read_beside_large_instances(self, root: Path) -> None:
        # The tree's instance channel runs far beyond 255: neither read as class nor cut to its upper byte.
        raw = self.open(root).read_mask(root / "GT/LABELS/0000000.png")
        assert raw.dtype == np.uint8
        assert np.array_equal(raw, trees.stripes(self.ids))

    @pytest.mark.parametrize("write", [trees.write_grey, trees.write_palette])
    def test_converted_masks_are_refused(self, root: Path, write) -> None:
        write(root / "GT/LABELS/0000001.png", trees.stripes(self.ids))
        with pytest.raises(UserError, match=r"0000001.png is no original SYNTHIA label .*16-bit"):
            self.open(root)[1]
