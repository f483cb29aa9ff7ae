"""Several views of an image: their softmax maps are averaged."""

import json

import pytest
import torch
import torch.nn.functional as F

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.views import SeveralViews, with_views
from runs import two_domains, words

CLASSES = ClassSet.load("camvid-11")


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return build_segmenter("mobile_deeplab", CLASSES, width=12).double().eval()


@torch.no_grad()
def test_the_softmax_is_the_mean_of_the_views(segmenter):
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64) * 255
    own = SeveralViews(segmenter, [0.5, 1.0], flips=True)(images).softmax(1)
    small = F.interpolate(images, (32, 48), mode="bilinear", align_corners=False, antialias=True)
    views = [
        F.interpolate(segmenter(small).log_softmax(1), (16, 24), mode="bilinear", align_corners=True),
        F.interpolate(segmenter(small.flip(-1)).flip(-1).log_softmax(1), (16, 24), mode="bilinear", align_corners=True),
        segmenter(images).log_softmax(1),
        segmenter(images.flip(-1)).flip(-1).log_softmax(1),
    ]
    # Logs at the coarse size are interpolated, and the probabilities of all views averaged.
    expected = torch.stack([view.exp() for view in views]).mean(0)
    torch.testing.assert_close(own.double(), expected / expected.sum(1, keepdim=True), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_with_flips_a_mirrored_image_gets_the_mirrored_answer(segmenter):
    images = torch.rand(1, 3, 64, 96, dtype=torch.float64) * 255
    views = SeveralViews(segmenter, [1.0], flips=True)
    torch.testing.assert_close(views(images.flip(-1)).flip(-1), views(images))


def test_one_plain_view_is_the_segmenter_itself(segmenter):
    assert with_views(segmenter, [1.0], flips=False) is segmenter
    with pytest.raises(UserError, match="--scales"):
        with_views(segmenter, [9.0], flips=False)


def test_evaluate_and_predict_take_them(tmp_path):
    root = two_domains(tmp_path)
    assert main(words(root, tmp_path / "run", method="joint")) == 0
    views = ["--scales=[0.75,1,1.25]", "--flips=true"]
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    told = ["--model", str(tmp_path / "run")]
    assert main(["evaluate", *told, *data, *views, "--out", str(tmp_path / "scores.json")]) == 0
    plain, several = (json.loads((tmp_path / p).read_text()) for p in ("run/scores.json", "scores.json"))
    assert several["mean"]["19"] == pytest.approx(plain["mean"]["19"], abs=0.1)
    assert several["iou"] != plain["iou"]
    where = ["--inputs", str(root / "target/images/val"), "--out", str(tmp_path / "seen"), "--outputs", "ids"]
    assert main(["predict", *told, *where, *views]) == 0
    assert len(list((tmp_path / "seen/ids").rglob("*.png"))) == 3
