"""What all phases have in common: the loss from labels, who learns, and the smallest images."""

import pytest
import torch

from making import make
from pixda.errors import UserError
from pixda.losses.segmentation import cross_entropy, focal
from pixda.models.discriminators import SMALLEST
from pixda.phases.phase import check_map_size
from pixda.phases.settings import SegmentationLoss
from pixda.phases.supervised import Supervised


@pytest.mark.parametrize(
    "loss",
    [
        SegmentationLoss(),
        SegmentationLoss(gamma=1.5, alpha=0.6, alpha_exceptions={1: 0.3}),
        SegmentationLoss(log_epsilon=0.05),
    ],
)
def test_the_loss_from_labels_is_the_focal_one_with_these_settings(context, pair, loss):
    scores, labels = torch.randn(2, 4, 32, 48), pair.source.masks
    alpha = torch.tensor([loss.alpha_exceptions.get(c, loss.alpha) for c in range(4)])
    expected = focal(scores, labels, loss.gamma, alpha, loss.log_epsilon)
    torch.testing.assert_close(make(Supervised, context, loss=loss).segmentation(scores, labels), expected)


def test_or_plain_cross_entropy(context, pair):
    scores, labels = torch.randn(2, 4, 32, 48), pair.source.masks
    found = make(Supervised, context, loss=SegmentationLoss(kind="cross_entropy")).segmentation(scores, labels)
    torch.testing.assert_close(found, cross_entropy(scores, labels))


def test_a_phase_begins_with_an_optimiser_of_its_own_and_a_network_that_learns(context):
    context.segmenter.eval()
    before = make(Supervised, context)
    assert context.segmenter.training
    phase = make(Supervised)
    phase.prepare(context, before.segmenter)
    assert phase.segmenter is not before.segmenter
    assert phase.segmenter.module is before.segmenter.module
    assert phase.trainees() == {"segmenter": phase.segmenter}
    assert phase.state_dict() == {}
    assert phase.opponent() is None


@pytest.mark.parametrize("at", ["image", "logits"])
@pytest.mark.parametrize(("width", "height", "fits"), [(0, 0, True), (9, 0, True), (-1, 0, False), (0, -1, False)])
def test_images_whose_maps_are_too_small_are_refused_with_their_size(context, at, width, height, fits):
    stride = 1
    if at == "logits":
        stride = 64 // context.segmenter(torch.zeros(1, 3, 64, 64)).shape[-1]
        assert stride > 1
    size = (stride * (SMALLEST + width), stride * (SMALLEST + height))
    if fits:
        check_map_size(context.segmenter, size, at, "--where")
        return
    with pytest.raises(UserError, match=f"get {SMALLEST + width} x {SMALLEST + height}: .*set --where image"):
        check_map_size(context.segmenter, size, at, "--where")
