"""Each public dataset on a tree with its true names and kinds of files: the contract, and what is its own."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import trees
from contract import DatasetContract
from test_classes import TO_CLASS

from pixda.data.classes import ClassSet
from pixda.data.public_datasets import GTA5, IDDA, CamVid, Cityscapes, Synscapes, Synthia, UrbanSyn
from pixda.errors import UserError


class PublicContract(DatasetContract):
    kind = Cityscapes
    split = "train"
    classes = "cityscapes-19"

    def open(self, root: Path, size: tuple[int, int] | None = None, split: str = ""):
        return self.kind(root, split or self.split, ClassSet.load(self.classes), size)


class TestCityscapes(PublicContract):
    frames = (
        ("aachen/aachen_000000_000019", "aachen"),
        ("aachen/aachen_000001_000019", "aachen"),
        ("ulm/ulm_000000_000019", "ulm"),
    )
    ids = trees.CITYSCAPES_IDS
    to_class = TO_CLASS["cityscapes-19", "cityscapes"]
    example = "gtFine/train/<city>/<city>_000000_000019_gtFine_labelIds.png"

    def build(self, root: Path) -> Path:
        return trees.cityscapes(root, {"train": {"ulm": 1, "aachen": 2}, "val": {"lindau": 1}})

    def test_splits(self, root: Path) -> None:
        assert [frame.city for frame in self.open(root, split="val").frames] == ["lindau"]
        with pytest.raises(UserError, match="no split 'training': choose from train, val, test"):
            self.open(root, split="training")

    def test_a_tree_without_label_ids_says_which_files_are_there(self, root: Path) -> None:
        for path in root.rglob("*labelIds.png"):
            path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
        with pytest.raises(UserError, match=r"labelTrainIds.png, polygons.json and no labelIds.png"):
            self.open(root)


class TestCamVid(PublicContract):
    kind, classes = CamVid, "camvid-11"
    frames = (("0001TP_006690", "0001TP"), ("0006R0_f00930", "0006R0"), ("0016E5_00390", "0016E5"))
    ids = trees.CAMVID_IDS
    to_class = TO_CLASS["camvid-11", "camvid"]
    example = "labels/train/0001TP_006690.png"

    def build(self, root: Path) -> Path:
        return trees.camvid(
            root, {"train": ["0016E5_00390", "0001TP_006690", "0006R0_f00930"], "val": ["0016E5_07959"]}
        )


class TestGTA5(PublicContract):
    kind = GTA5
    frames = (("00001", "all"), ("00003", "all"), ("24966", "all"))
    ids = trees.GTA5_IDS
    to_class = TO_CLASS["cityscapes-19", "gta5"]
    example = "labels/00001.png"
    write = staticmethod(trees.write_palette)

    def build(self, root: Path) -> Path:
        trees.gta5(root, (1, 2, 3, 15188, 24966))
        (root / "labels/15188.png").unlink()  # not in the list: of no concern to "train"
        return root

    def test_all_takes_frames_outside_the_list(self, root: Path) -> None:
        (root / "images/15188.png").unlink()
        assert [frame.name for frame in self.open(root, split="all").frames] == ["00001", "00002", "00003", "24966"]


class TestSynthia(PublicContract):
    kind = Synthia
    frames = (("0000000", "all"), ("0000001", "all"))
    ids = trees.SYNTHIA_IDS
    to_class = TO_CLASS["cityscapes-19", "synthia"]
    example = "GT/LABELS/0000000.png"
    build = staticmethod(partial(trees.synthia, count=2))
    write = staticmethod(trees.write_synthia)  # its instance channel runs far beyond 255

    @pytest.mark.parametrize("write", [trees.write_grey, trees.write_palette])
    def test_converted_masks_are_refused(self, root: Path, write) -> None:
        write(root / "GT/LABELS/0000001.png", trees.stripes(self.ids))
        with pytest.raises(UserError, match=r"0000001.png is no original SYNTHIA label .*16-bit"):
            self.open(root)[1]


class TestIDDA(PublicContract):
    kind, split = IDDA, "all"
    frames = (
        ("T01_CN_A/000000_T01_CN_A", "T01_CN_A"),
        ("T01_CN_A/000001_T01_CN_A", "T01_CN_A"),
        ("T02_CS_J/000000_T02_CS_J", "T02_CS_J"),
    )
    ids = trees.IDDA_IDS
    to_class = TO_CLASS["cityscapes-19", "idda"]
    example = "<scenario>/Semantic/<frame>.png"
    build = staticmethod(partial(trees.idda, frames={"T01_CN_A": 2, "T02_CS_J": 1}))
    write = staticmethod(trees.write_idda)

    def test_one_scenario_is_a_split(self, root: Path) -> None:
        assert [frame.name for frame in self.open(root, split="T02_CS_J").frames] == ["T02_CS_J/000000_T02_CS_J"]
        with pytest.raises(UserError, match="no frames for split 'T09_CN_A'"):
            self.open(root, split="T09_CN_A")

    @pytest.mark.parametrize("bits", [np.uint8, np.uint16])
    def test_the_class_is_read_from_red_whatever_the_bits(self, root: Path, bits) -> None:
        path = root / "T01_CN_A/Semantic/000000_T01_CN_A.png"
        ids = trees.stripes(self.ids).astype(bits)
        other = np.full_like(ids, 200)
        path.write_bytes(cv2.imencode(".png", np.stack([other, other, ids], axis=-1))[1].tobytes())
        raw = self.open(root).read_mask(path)
        assert raw.dtype == np.uint8
        assert np.array_equal(raw, ids)

    def test_grey_masks_are_refused(self, root: Path) -> None:
        trees.write_grey(root / "T01_CN_A/Semantic/000001_T01_CN_A.png", trees.stripes(self.ids))
        with pytest.raises(UserError, match=r"000001_T01_CN_A.png is no original IDDA label .*red"):
            self.open(root)[1]


class TestUrbanSyn(PublicContract):
    kind = UrbanSyn
    frames = (("0001", "all"), ("0002", "all"), ("0003", "all"))
    ids = trees.URBANSYN_IDS
    to_class = TO_CLASS["cityscapes-19", "urbansyn"]
    example = "ss/ss_0001.png"
    build = staticmethod(partial(trees.urbansyn, count=3))


class TestSynscapes(PublicContract):
    kind = Synscapes
    frames = (("1", "all"), ("2", "all"), ("3", "all"))
    ids = trees.CITYSCAPES_IDS
    to_class = TO_CLASS["cityscapes-19", "cityscapes"]
    example = "img/class/1.png"
    build = staticmethod(partial(trees.synscapes, count=3))
