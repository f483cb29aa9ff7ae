"""Predictions at the ground truth's size, a few lines at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from PIL import Image

from pixda.data.classes import ClassSet
from pixda.data.dataset import Sample
from pixda.evaluation import evaluate, likeliest, predict, resized
from pixda.models import build_segmenter
from pixda.models.upsampling import upsample


@pytest.mark.parametrize("size", [(37, 50), (64, 129), (9, 17), (5, 4), (1, 3), (20, 1)])
@pytest.mark.parametrize("coarse", [(9, 17), (1, 4), (3, 1)])
def test_the_class_is_that_of_the_highest_upsampled_logit(coarse, size):
    logits = torch.randn(1, 7, *coarse, generator=torch.Generator().manual_seed(0))
    raised = F.interpolate(logits.double(), size, mode="bilinear", align_corners=True)[0]
    found = likeliest(logits, size)
    assert found.shape == size
    assert found.dtype == torch.uint8
    short = raised.amax(0) - raised.gather(0, found.long()[None])[0]
    assert short.max() < 1e-5, "another class is higher than float32 can explain"


def test_of_equal_classes_it_is_the_first():
    assert (likeliest(torch.zeros(1, 5, 2, 3), (8, 9)) == 0).all()


@pytest.mark.parametrize(("width", "height"), [(40, 30), (50, 30), (40, 37), (60, 37), (90, 80)])
def test_an_image_is_resized_to_width_and_height_by_bicubic_interpolation(width, height):
    image = torch.randint(0, 256, (3, 37, 50), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    rows = np.stack([image[c].numpy() for c in range(3)], axis=-1)
    expected = np.asarray(Image.fromarray(rows).resize((width, height), Image.Resampling.BICUBIC))
    found = resized(image, (width, height))
    assert found.shape == (3, height, width)
    for c in range(3):
        assert (found[c].numpy() == expected[..., c]).all()


def test_on_a_processor_it_goes_by_lines(monkeypatch):
    wholes = []
    monkeypatch.setattr("pixda.evaluation.upsample", lambda x, size: wholes.append(size) or upsample(x, size))
    assert likeliest(torch.zeros(1, 5, 2, 3), (8, 9)).shape == (8, 9)
    assert wholes == [(2, 9)], "never all classes at full size"


def test_an_image_of_that_size_or_without_one_is_left_as_it_is():
    image = torch.zeros(3, 37, 50, dtype=torch.uint8)
    assert resized(image, None) is image
    assert resized(image, (50, 37)) is image


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return build_segmenter("tiny", ClassSet.load("cityscapes-19")).eval()


def images(count):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 64, 96), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("size", [None, (48, 32)])
def test_a_prediction_has_the_images_size_whatever_the_network_works_at(segmenter, size):
    (image,) = images(1)
    graphs = []
    segmenter.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
    found = predict(segmenter, image, size, Fabric(accelerator="cpu"))
    with torch.no_grad():
        scores = upsample(segmenter(resized(image, size)[None].float()), (64, 96))[0]
    assert (found.shape, found.dtype) == ((64, 96), torch.uint8)
    assert (scores.gather(0, found.long()[None])[0] >= scores.amax(0) - 1e-5).all()
    assert graphs[0] is False, "no graph is kept"


def test_every_frame_is_scored_and_told(segmenter):
    frames = [Sample(image, torch.full((64, 96), number).byte(), "", "") for number, image in enumerate(images(3))]
    told = []
    matrix = evaluate(segmenter, frames, None, Fabric(accelerator="cpu"), lambda *where: told.append(where))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert matrix.counts.sum(1).tolist() == [64 * 96] * 3 + [0] * 16
    for number, frame in enumerate(frames):
        said = predict(segmenter, frame.image, None, Fabric(accelerator="cpu"))
        assert matrix.counts[number].tolist() == torch.bincount(said.flatten(), minlength=19).tolist()
