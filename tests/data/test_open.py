"""Opening what a config names: here, the images without labels."""

import pytest
import trees

from pixda.data.check import check
from pixda.data.config import Data
from pixda.data.open import open_dataset, open_unlabelled
from pixda.errors import UserError


def test_a_folder_needs_neither_masks_nor_a_scheme(tmp_path, cityscapes19):
    trees.write_image(tmp_path / "images/rome/a.png", 0)
    dataset = open_unlabelled(Data("folder", tmp_path, "all"), cityscapes19, (24, 18))
    assert [frame.name for frame in dataset.frames] == ["rome/a"]
    assert dataset[0].image.shape == (3, 18, 24)
    assert dataset[0].mask.shape == (18, 24)
    assert (dataset[0].mask == 255).all()
    assert check(dataset, progress=False).problems == ()


def test_masks_that_are_there_are_not_read(tmp_path, camvid11):
    trees.camvid(tmp_path, {"train": ["0001TP_000001"]})
    (tmp_path / "labels/train/0001TP_000001.png").write_bytes(b"not to be opened")
    dataset = open_unlabelled(Data("camvid", tmp_path, "train"), camvid11, None)
    assert (dataset[0].mask == 255).all()
    assert check(dataset, progress=False).problems == ()
    with pytest.raises(UserError, match="cannot be decoded"):
        open_dataset(Data("camvid", tmp_path, "train"), camvid11)[0]


def test_a_folder_without_images_is_named_with_where_one_would_lie(tmp_path, camvid11):
    with pytest.raises(UserError, match=r"expected a frame at images/\[<city>/\]<frame>\.jpg"):
        open_unlabelled(Data("folder", tmp_path, "all"), camvid11, None)
