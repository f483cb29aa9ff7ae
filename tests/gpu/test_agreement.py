"""What is computed on a GPU agrees with float64 on the processor, to stated tolerances."""

import copy

import pytest
import torch

from pixda.data.classes import ClassSet
from pixda.evaluation import likeliest
from pixda.losses.adversarial import pixadv_loss, rarity
from pixda.losses.distillation import distillation_loss
from pixda.losses.segmentation import cross_entropy, focal
from pixda.metrics import ConfusionMatrix
from pixda.models import ImageDiscriminator, PixelDiscriminator, build_segmenter
from pixda.models.upsampling import upsample
from pixda.selection import score
from pixda.style import stylise

pytestmark = pytest.mark.gpu
CLASSES = ClassSet.load("camvid-11")
COUNT = len(CLASSES.names)


def off(value, exact):
    """Relative distance of two tensors as wholes."""
    exact = exact.double().cpu()
    return float((value.double().cpu() - exact).norm() / exact.norm())


def scores_and_labels(seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, COUNT, 32, 48, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(0, COUNT, (2, 32, 48), generator=generator)
    labels[:, :5] = 255
    return scores, labels


LOSSES = {
    "cross entropy": lambda scores, labels: cross_entropy(scores, labels),
    "focal": lambda scores, labels: focal(scores, labels, 2.0, torch.full((COUNT,), 0.25, device=scores.device)),
    "distillation": lambda scores, labels: distillation_loss(scores, scores.detach().roll(1, 1), 0.5, "sum"),
    "PixAdv": lambda scores, labels: pixadv_loss(scores[:, :1], rarity(labels)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_their_gradients(device, loss):
    """float32 on the device within 1e-5 of float64."""
    given, labels = scores_and_labels()
    results = []
    for place, kind in ((torch.device("cpu"), torch.float64), (device, torch.float32)):
        scores = given.clone().to(place, kind).requires_grad_()
        value = LOSSES[loss](scores, labels.to(place))
        value.backward()
        results.append((value.detach(), scores.grad))
    (exact, slope), (value, own) = results
    assert float(value) == pytest.approx(float(exact), rel=1e-5)
    assert off(own, slope) < 1e-5


@pytest.mark.parametrize("architecture", ["deeplab_resnet50", "mobile_deeplab", "efficientnet_lite0", "fcn8s", "tiny"])
@pytest.mark.parametrize(("autocast", "allowed"), [(False, 1e-4), (True, 5e-2)])
def test_forward_passes(device, architecture, autocast, allowed):
    """float32 within 1e-4, bf16 within 5e-2 of float64."""
    torch.manual_seed(0)
    options = {"width": 1 / 16} if architecture == "fcn8s" else {}
    network = build_segmenter(architecture, CLASSES, **options).eval()
    images = torch.rand(2, 3, 64, 96) * 255
    with torch.no_grad():
        exact = copy.deepcopy(network).double()(images.double())
        own = network.to(device).to(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            logits = own(images.to(device))
    assert off(logits, exact) < allowed


def test_style_rarity_and_selection_scores(device):
    """Style within 1e-3 grey levels, rarity to the last bit, scores within 1e-4."""
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.rand(2, 3, 64, 96, generator=generator) * 255 for _ in range(2))
    exact = stylise(source.double(), target.double(), 0.02)
    assert float((stylise(source.to(device), target.to(device), 0.02).cpu() - exact).abs().max()) < 1e-2
    _, labels = scores_and_labels()
    assert torch.equal(rarity(labels.to(device)).cpu(), rarity(labels))
    torch.manual_seed(0)
    judge = ImageDiscriminator(COUNT)
    maps = torch.rand(2, COUNT, 64, 96, generator=generator).softmax(1)
    with torch.no_grad():
        exact = score(copy.deepcopy(judge).double()(maps.double()))
        assert off(score(judge.to(device)(maps.to(device))), exact) < 1e-4


def test_a_discriminators_gradient_through_upsampled_maps(device):
    torch.manual_seed(0)
    discriminator = PixelDiscriminator(COUNT)
    coarse, slopes = torch.randn(2, COUNT, 9, 13), []
    for place, kind in ((torch.device("cpu"), torch.float64), (device, torch.float32)):
        logits = coarse.clone().to(place, kind).requires_grad_()
        maps = upsample(logits, (64, 96)).softmax(1).to(kind)
        copy.deepcopy(discriminator).to(place, kind)(maps).sigmoid().mean().backward()
        slopes.append(logits.grad)
    assert off(slopes[1], slopes[0]) < 1e-3


def test_pixels_are_counted_as_on_a_processor(device):
    """The confusion matrix to the last pixel, of images with ignored ones and of both kinds of integers."""
    generator = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(0, COUNT, (3, 90, 120), generator=generator) for _ in range(2))
    labels[:, :7] = 255
    here, there = ConfusionMatrix(CLASSES), ConfusionMatrix(CLASSES, device)
    for kind in (torch.uint8, torch.int64):
        here.update(predicted.to(kind), labels.to(kind))
        there.update(predicted.to(device, kind), labels.to(device, kind))
    assert here.counts.sum() == 2 * 3 * 83 * 120
    assert torch.equal(there.counts.cpu(), here.counts)


@pytest.mark.parametrize("size", [(37, 50), (64, 129), (5, 4), (1, 3)])
def test_the_likeliest_class_is_that_of_a_processor(device, size):
    """Where they differ, the two classes are as high in float64 as float32 can tell."""
    logits = torch.randn(1, COUNT, 9, 17, generator=torch.Generator().manual_seed(0))
    here, there = likeliest(logits, size), likeliest(logits.to(device), size).cpu()
    assert (there.shape, there.dtype) == (here.shape, torch.uint8)
    raised = torch.nn.functional.interpolate(logits.double(), size, mode="bilinear", align_corners=True)[0]
    own, other = (raised.gather(0, one.long()[None])[0] for one in (here, there))
    assert float((own - other).abs().max()) < 1e-5
    assert float((here != there).float().mean()) < 1e-2
