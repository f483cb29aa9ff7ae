from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from pixda.data.classes import ClassSet
from pixda.data.files import read_ids, read_image
from pixda.data.folder import Folder
from pixda.data.frames import Frame, Frames
from pixda.errors import UserError


def test_frames_come_back_as_they_were_given() -> None:
    root = Path("/data/straße")
    given = [
        Frame("ulm/ä", "ulm", root / "images/ä.png", root / "masks/ä.png"),
        Frame("b", "all", Path("/elsewhere/b.png"), None),
    ]
    frames = Frames(root, given)
    assert list(frames) == given
    assert frames[-1] == given[-1]
    assert list(frames[:1]) == given[:1]
    assert list(frames.take([1, 0, 1])) == [given[1], given[0], given[1]]
    with pytest.raises(IndexError):
        frames[2]


def test_masks_are_resized_by_choice_not_by_mixture(tmp_path: Path, camvid11: ClassSet) -> None:
    ids = np.zeros((8, 8), np.uint8)
    ids[:, 4:] = 10
    trees.write_image(tmp_path / "images/a.png", 0, (8, 8))
    trees.write_grey(tmp_path / "masks/a.png", ids)
    small = Folder(tmp_path, "all", camvid11, (3, 3), scheme="camvid")[0].mask
    assert set(small.unique().tolist()) == {0, 10}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_mask_that_is_no_id_map_is_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "mask.png"
    Image.new(mode, (8, 8)).save(path)
    with pytest.raises(UserError, match=r"mask.png is of the kind .*not label ids"):
        read_ids(path)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_any_8_bit_image_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.png"
    Image.new(mode, (8, 4)).save(path)
    assert read_image(path).mode == "RGB"


def test_16_bit_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.new("I;16", (8, 4)).save(path)
    with pytest.raises(UserError, match=r"deep.png has 16 or more bits"):
        read_image(path)
