"""The network on images of any size: the same numbers as in scoring, and windows by a slow transcription."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixda.config import Machine
from pixda.evaluation import predict, resized
from pixda.machine.devices import make_fabric
from pixda.models.saved import load_model
from pixda.predict.network import Predictor, starts

SIZES = [(48, 64), (61, 93), (130, 40)]  # height, width


@pytest.fixture(scope="module")
def fabric():
    return make_fabric(Machine(accelerator="cpu"))


@pytest.fixture
def segmenter(run):
    return load_model(run)[0].eval()


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in SIZES]


def test_a_batch_of_any_sizes_is_what_scoring_sees(segmenter, images, fabric):
    predictions = Predictor(segmenter, fabric, (64, 48), batch=3)(images)
    for image, prediction in zip(images, predictions, strict=True):
        expected = predict(segmenter, image, (64, 48), fabric).numpy()
        np.testing.assert_array_equal(prediction.classes, expected)
        assert prediction.classes.dtype == np.uint8
        assert prediction.confidence.shape == image.shape[1:]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_confidence_is_the_softmax_at_a_temperature_which_changes_no_class(segmenter, images, fabric, temperature):
    image = images[1]
    plain = Predictor(segmenter, fabric, (64, 48))([image])[0]
    (found,) = Predictor(segmenter, fabric, (64, 48), temperature=temperature)([image])
    logits = segmenter(resized(image, (64, 48))[None].float())
    logits = F.interpolate(logits, image.shape[1:], mode="bilinear", align_corners=True)[0].double()
    expected = (logits / temperature).softmax(0).amax(0).detach().numpy()
    np.testing.assert_allclose(found.confidence, expected, atol=1e-5)
    np.testing.assert_array_equal(found.classes, plain.classes)
    # One window over the whole image, and several.
    (window,) = Predictor(segmenter, fabric, (64, 48), (64, 48), temperature=temperature)([image])
    assert abs(window.confidence - expected).mean() < 0.01
    plain, warm = (Predictor(segmenter, fabric, None, (48, 32), temperature=t)([image])[0] for t in (1.0, temperature))
    np.testing.assert_array_equal(plain.classes, warm.classes)
    assert ((warm.confidence < plain.confidence) == (temperature > 1)).all()


@pytest.mark.parametrize("batch", [1, 4])
def test_windows_are_averaged_where_they_overlap(segmenter, images, fabric, batch):
    image = images[1]
    total, times = np.zeros((19, 61, 93)), np.zeros((61, 93))
    for top in starts(61, 32):
        for left in starts(93, 48):
            cut = image[None, :, top : top + 32, left : left + 48].float()
            logits = F.interpolate(segmenter(cut), (32, 48), mode="bilinear", align_corners=True)
            total[:, top : top + 32, left : left + 48] += logits.softmax(1)[0].detach().double().numpy()
            times[top : top + 32, left : left + 48] += 1
    (prediction,) = Predictor(segmenter, fabric, None, (48, 32), batch)([image])
    mean = total / times
    np.testing.assert_allclose(prediction.confidence, mean.max(0), atol=1e-5)
    assert (prediction.classes == mean.argmax(0)).mean() > 0.999


def test_a_window_over_the_whole_image_is_the_whole_image(segmenter, images, fabric):
    whole = Predictor(segmenter, fabric, None)(images[:1])[0]
    window = Predictor(segmenter, fabric, None, (640, 480))(images[:1])[0]
    np.testing.assert_array_equal(whole.classes, window.classes)


def test_a_window_slides_over_an_image_brought_to_a_size(segmenter, images, fabric):
    (prediction,) = Predictor(segmenter, fabric, (128, 96), (48, 48))(images[1:2])
    assert prediction.classes.shape == SIZES[1]
    assert 0 < prediction.confidence.min() <= prediction.confidence.max() <= 1


@pytest.mark.parametrize(
    ("length", "window"), [(10, 10), (10, 20), (11, 10), (2048, 512), (1000, 769), (7, 1), (100, 3)]
)
def test_windows_cover_a_side_and_share_a_third(length, window):
    places = starts(length, window)
    assert places[0] == 0
    assert places[-1] + window >= length
    assert places[-1] <= max(length - window, 0)
    steps = np.diff(places)
    assert (steps >= 1).all()
    assert (steps <= max(window * 2 / 3, 1)).all()
