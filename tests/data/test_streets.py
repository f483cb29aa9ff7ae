import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pixda.data.classes import ClassSet
from pixda.data.streets import Label, WorldOptions
from pixda.data.streets.basics import linear, stream
from pixda.data.streets.camera import Camera
from pixda.data.streets.canvas import Canvas
from pixda.data.streets.city import city_of
from pixda.data.streets.dataset import CITIES, Streets
from pixda.data.streets.light import sample_light
from pixda.data.streets.limbs import Limb, draw_limbs
from pixda.data.streets.mesh import box, draw_mesh, join
from pixda.data.streets.render import render, view_of
from pixda.data.streets.sheet import palette
from pixda.errors import UserError

SMALL = WorldOptions(width=160, height=120)
LABELS = {int(label) for label in Label}


@pytest.fixture(scope="module")
def classes():
    return ClassSet.load("cityscapes-19")


@pytest.fixture(scope="module")
def many():
    """Label ids counted in 60 frames of each domain, one row a frame."""
    options = WorldOptions(width=120, height=90)
    return {
        domain: np.stack([np.bincount(render(domain, i, options, i % 3)[1].ravel(), minlength=256) for i in range(60)])
        for domain in ("rendered", "camera")
    }


def test_a_frame_is_an_rgb_image_and_a_mask_of_label_ids():
    for domain in ("rendered", "camera"):
        image, mask = render(domain, 1, SMALL, 0)
        assert image.shape == (120, 160, 3)
        assert mask.shape == (120, 160)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask).tolist()) <= LABELS


def test_the_order_of_calls_does_not_matter():
    first = [render("rendered", i, SMALL, 1) for i in (0, 1, 2)]
    second = [render("rendered", i, SMALL, 1) for i in (2, 1, 0)][::-1]
    for (image, mask), (again, mask_again) in zip(first, second, strict=True):
        assert np.array_equal(image, again)
        assert np.array_equal(mask, mask_again)
    assert not np.array_equal(first[0][0], first[1][0])


def test_another_process_renders_the_same():
    code = (
        "import hashlib; from pixda.data.streets.render import render; from pixda.data.streets import WorldOptions;"
        "i, m = render('camera', 3, WorldOptions(width=160, height=120), 2);"
        "print(hashlib.sha256(i.tobytes() + m.tobytes()).hexdigest())"
    )
    image, mask = render("camera", 3, SMALL, 2)
    here = hashlib.sha256(image.tobytes() + mask.tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert here == there


def test_seed_index_city_and_domain_each_change_the_frame():
    base = render("camera", 0, SMALL, 0)[0]
    others = [
        render("camera", 1, SMALL, 0)[0],
        render("camera", 0, SMALL, 1)[0],
        render("rendered", 0, SMALL, 0)[0],
        render("camera", 0, WorldOptions(seed=1, width=160, height=120), 0)[0],
    ]
    assert all(not np.array_equal(base, other) for other in others)


def test_all_classes_appear_and_rare_ones_are_rare(many):
    total = sum(counts.sum(0) for counts in many.values())
    missing = [label.name for label in Label if label is not Label.VOID and total[label] == 0]
    assert not missing
    for rare in (Label.RIDER, Label.BICYCLE, Label.MOTORCYCLE, Label.TRAIN, Label.BUS, Label.PERSON):
        assert total[rare] < total[Label.CAR]
    for common in (Label.ROAD, Label.BUILDING, Label.SKY):
        assert total[common] > total[Label.CAR]
    assert total[Label.VOID] < 0.03 * total.sum()


def test_sky_lies_above_and_road_below_in_normal_views():
    found = 0
    for index in range(12):
        view, _ = view_of("rendered", index, SMALL, 0)
        if view.odd:
            continue
        _, mask = render("rendered", index, SMALL, 0)
        rows = np.arange(120)[:, None] * np.ones_like(mask)
        assert rows[mask == Label.ROAD].mean() > 70
        if (mask == Label.SKY).sum() > 50:
            found += 1
            assert rows[mask == Label.SKY].mean() < 60
    assert found > 3


def test_the_gap_raises_the_camera_and_brings_odd_views():
    near, far = WorldOptions(gap=0.0), WorldOptions(gap=1.0)

    def normal_heights(options):
        views = [view_of("rendered", i, options, 0) for i in range(60)]
        return [camera.height for view, camera in views if not view.odd]

    assert max(normal_heights(near)) < 1.7
    assert min(normal_heights(far)) > 2.4
    odd = [sum(bool(view_of("rendered", i, o, 0)[0].odd) for i in range(100)) for o in (near, far)]
    assert 3 < odd[0] < odd[1]
    assert all(view_of("camera", i, far, 0)[1].height < 1.8 for i in range(20))


def test_only_the_camera_domain_is_noisy():
    def noise(domain):
        levels = []
        for index in range(8):
            image, mask = render(domain, index, SMALL, 0)
            grey = image.astype(float).mean(2)
            diff = np.abs(grey[:, 1:] - grey[:, :-1])
            sky = (mask[:, 1:] == Label.SKY) & (mask[:, :-1] == Label.SKY) & (grey[:, 1:] < 250)
            if sky.sum() > 200:
                levels.append(np.median(diff[sky]))
        return np.mean(levels)

    assert noise("camera") > 2 * noise("rendered")


@pytest.fixture
def empty():
    """An empty canvas whose camera looks along z from 1.5 m."""
    camera = Camera(0.0, 1.5, 0.0, 0.0, 0.0, 120.0, 160, 120)
    return Canvas(camera, sample_light(stream(1), city_of("rendered", 0, 0), "rendered", False))


def test_what_stands_nearer_hides_what_stands_farther(empty):
    cube = join(box((-1, 0, -1), (1, 2, 1), linear(200, 40, 40)))
    person = [Limb((0, 0, 0), (0, 1.7, 0), 0.3, 0.3, linear(40, 40, 200))]
    draw_mesh(empty, cube, 0, 10, 0, Label.CAR, 1.0)
    draw_limbs(empty, person, 0, 6, 0, Label.PERSON, 1.0)
    assert empty.pixels[60, 80, 3] == Label.PERSON
    assert empty.pixels[60, 87, 3] == Label.CAR


def test_no_car_floats_in_the_sky():
    for index in range(6):
        _, mask = render("camera", index, SMALL, 0)
        below_sky = (mask[1:] == Label.SKY) & (mask[:-1] == Label.CAR)
        assert below_sky.sum() == 0


def test_image_and_mask_have_the_same_edges(empty):
    cube = join(box((-1, 0, -1), (1, 2, 1), linear(250, 250, 250)))
    draw_mesh(empty, cube, 0, 8, 0.4, Label.TRUCK, 1.0)
    drawn = empty.pixels[..., :3].sum(2) > 0
    assert np.array_equal(drawn, empty.pixels[..., 3] == Label.TRUCK)


def _streets(root, classes, **options):
    options = {"count": 6, "render_size": (64, 48), **options}
    return Streets(root, options.pop("split", "rendered"), classes, **options)


def test_streets_renders_frames_and_loads_them(tmp_path, classes):
    data = _streets(tmp_path, classes, split="camera-train")
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


def test_streets_renders_only_what_is_missing(tmp_path, classes):
    first = _streets(tmp_path, classes)
    files = [path for frame in first.frames for path in (frame.image, frame.mask)]
    before = {path: path.stat().st_mtime_ns for path in files}
    content = files[3].read_bytes()
    files[3].unlink()
    more = _streets(tmp_path, classes, count=8)
    assert len(more) == 8
    assert files[3].read_bytes() == content
    kept = [path for path in files if path != files[3]]
    assert all(path.stat().st_mtime_ns == before[path] for path in kept)
    assert [f.name for f in _streets(tmp_path, classes, count=3).frames] == sorted(
        f"{city}_{i:06d}" for i, city in enumerate(("amber", "basalt", "coral"))
    )
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_streets_of_other_options_do_not_mix(tmp_path, classes):
    folders = {
        _streets(tmp_path, classes, count=1, **other).folder
        for other in ({}, {"seed": 1}, {"gap": 0.5}, {"render_size": (80, 60)}, {"split": "camera-val"})
    }
    assert len(folders) == 5
    assert _streets(tmp_path, classes, count=1, split="camera-val", gap=1.0).folder in folders
    facts = [json.loads((folder / "world.json").read_text()) for folder in folders]
    assert {fact["seed"] for fact in facts} == {0, 1}
    assert {fact["gap"] for fact in facts} == {0.0, 0.5}


@pytest.mark.parametrize("wrong", [{"count": 0}, {"gap": 1.5}, {"seed": -1}, {"render_size": (8, 8)}, {"split": "val"}])
def test_wrong_options_are_a_user_error(tmp_path, classes, wrong):
    with pytest.raises(UserError):
        _streets(tmp_path, classes, **wrong)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write_to_is_a_user_error(tmp_path, classes):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write"):
        _streets(tmp_path / "world", classes)


def test_the_palette_colours_every_class():
    colours = palette()
    assert len({tuple(colours[label]) for label in LABELS - {0}}) == 19
    assert tuple(colours[0]) == (0, 0, 0)
