import json
import os

import numpy as np
import pytest

from pixda.data.streets import CITIES, Streets
from pixda.errors import UserError
from streetworld import WorldOptions
from streetworld.render import render


def _streets(root, cityscapes19, **options):
    options = {"count": 6, "render_size": (64, 48), **options}
    return Streets(root, options.pop("split", "rendered"), cityscapes19, **options)


def test_streets_renders_frames_and_loads_them(tmp_path, cityscapes19):
    data = _streets(tmp_path, cityscapes19, split="camera-train")
    assert len(data) == 6
    sample = data[0]
    assert tuple(sample.image.shape) == (3, 48, 64)
    assert set(sample.mask.unique().tolist()) <= {*range(19), 255}
    assert {frame.city for frame in data.frames} == {"alder", "birch", "cedar"}
    image, mask = render("camera", 0, WorldOptions(width=64, height=48), 0)
    assert np.array_equal(data.read_mask(data.frames[0].mask), mask)
    assert np.abs(sample.image.permute(1, 2, 0).numpy().astype(int) - image).mean() < 6


def test_cities_of_camera_splits_are_disjoint():
    train, val = (
        {number for split in splits for number, _ in CITIES[split][1]}
        for splits in (("camera-train", "camera-18"), ("camera-val",))
    )
    assert not train & val


def test_streets_renders_only_what_is_missing(tmp_path, cityscapes19):
    first = _streets(tmp_path, cityscapes19)
    files = [path for frame in first.frames for path in (frame.image, frame.mask)]
    before = {path: path.stat().st_mtime_ns for path in files}
    content = files[3].read_bytes()
    files[3].unlink()
    more = _streets(tmp_path, cityscapes19, count=8)
    assert len(more) == 8
    assert files[3].read_bytes() == content
    kept = [path for path in files if path != files[3]]
    assert all(path.stat().st_mtime_ns == before[path] for path in kept)
    assert [f.name for f in _streets(tmp_path, cityscapes19, count=3).frames] == sorted(
        f"{city}_{i:06d}" for i, city in enumerate(("amber", "basalt", "coral"))
    )
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_streets_of_other_options_do_not_mix(tmp_path, cityscapes19):
    folders = {
        _streets(tmp_path, cityscapes19, count=1, **other).folder
        for other in ({}, {"seed": 1}, {"gap": 0.5}, {"render_size": (80, 60)}, {"split": "camera-val"})
    }
    assert len(folders) == 5
    assert _streets(tmp_path, cityscapes19, count=1, split="camera-val", gap=1.0).folder in folders
    facts = [json.loads((folder / "world.json").read_text()) for folder in folders]
    assert {fact["seed"] for fact in facts} == {0, 1}
    assert {fact["gap"] for fact in facts} == {0.0, 0.5}


@pytest.mark.parametrize("wrong", [{"count": 0}, {"gap": 1.5}, {"seed": -1}, {"render_size": (8, 8)}, {"split": "val"}])
def test_wrong_options_are_a_user_error(tmp_path, cityscapes19, wrong):
    with pytest.raises(UserError):
        _streets(tmp_path, cityscapes19, **wrong)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write_to_is_a_user_error(tmp_path, cityscapes19):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write"):
        _streets(tmp_path / "world", cityscapes19)
