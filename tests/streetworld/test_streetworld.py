"""The street world's frames: what is drawn, and that a frame depends on its options alone."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from streetworld import Label, WorldOptions
from streetworld.basics import linear, stream
from streetworld.camera import Camera
from streetworld.canvas import Canvas
from streetworld.city import city_of
from streetworld.light import sample_light
from streetworld.limbs import Limb, draw_limbs
from streetworld.mesh import box, draw_mesh, join
from streetworld.render import render, view_of
from streetworld.sheet import palette

SMALL = WorldOptions(width=160, height=120)
LABELS = {int(label) for label in Label}


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
        "import hashlib; from streetworld.render import render; from streetworld import WorldOptions;"
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


def test_the_palette_colours_every_class():
    colours = palette()
    assert len({tuple(colours[label]) for label in LABELS - {0}}) == 19
    assert tuple(colours[0]) == (0, 0, 0)
