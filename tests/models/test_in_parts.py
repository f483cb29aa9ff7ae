"""A batch through the segmenter a few images at a time: the gradients of the whole batch."""

import pytest
import torch
from lightning_fabric import Fabric

from pixda.data.classes import ClassSet
from pixda.losses.segmentation import cross_entropy
from pixda.models import build_segmenter
from pixda.models.recompute import InParts, may_go_in_parts
from pixda.models.two_heads import TwoHeads
from pixda.models.upsampling import upsample
from pixda.phases.settings import SegmenterOptimiser
from pixda.phases.trainee import segmenter_trainee

CLASSES = ClassSet.load("camvid-11")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_segmenter("mobile_deeplab", CLASSES, frozen_blocks=2, width=24).double()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(5, 3, 64, 96, generator=generator, dtype=torch.double) * 255
    # Ignored pixels are unevenly spread: a mean of the parts' means would be another loss.
    masks = torch.randint(11, (5, 64, 96), generator=generator)
    masks[0, :50] = masks[3, :, :90] = 255
    return images, masks


def gradients(network, logits, masks):
    network.zero_grad()
    cross_entropy(upsample(logits, masks.shape[-2:]).double().log_softmax(1), masks).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("at_a_time", [1, 2, 4, 5])
def test_gradients_are_those_of_the_whole_batch(network, batch, at_a_time):
    images, masks = batch
    network.train()
    whole = gradients(network, network(images), masks)
    parts = gradients(network, InParts(network, at_a_time)(images), masks)
    assert whole.keys() == parts.keys()
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-5, atol=1e-7)


def test_both_heads_come_back_by_name(network, batch):
    images, _ = batch
    heads = TwoHeads(network).double().train()
    whole, parts = heads(images), InParts(heads, 2)(images)
    torch.testing.assert_close(parts.main, whole.main)
    torch.testing.assert_close(parts.auxiliary, whole.auxiliary)


class Held:
    """The bytes that the graph holds on to."""

    def __init__(self):
        self.bytes = 0

    def __call__(self, tensor):
        self.bytes += tensor.nbytes
        return tensor


def test_the_graph_of_a_part_is_not_kept(network, batch):
    images, _ = batch
    network.train()
    whole, parts = Held(), Held()
    with torch.autograd.graph.saved_tensors_hooks(whole, lambda tensor: tensor):
        network(images)
    with torch.autograd.graph.saved_tensors_hooks(parts, lambda tensor: tensor):
        InParts(network, 1)(images)
    assert parts.bytes < whole.bytes / 20


def test_a_trainee_learns_the_same(batch):
    images, masks = batch
    fabric = Fabric(accelerator="cpu", devices=1)
    learned = []
    for at_a_time in (None, 2):
        torch.manual_seed(0)
        network = build_segmenter("mobile_deeplab", CLASSES, frozen_blocks=2, width=24)
        network.at_a_time = at_a_time
        trainee = segmenter_trainee(fabric, network.train(), SegmenterOptimiser(lr=1e-3, horizon=10))
        for _ in range(2):
            logits = trainee(images.float())
            trainee.backward(cross_entropy(upsample(logits, masks.shape[-2:]).log_softmax(1), masks))
            trainee.step()
        learned.append(trainee.state_dict()["network"])
    assert learned[0].keys() == learned[1].keys(), "a checkpoint fits whatever the setting"
    for name, weights in learned[0].items():
        torch.testing.assert_close(learned[1][name], weights, rtol=1e-3, atol=1e-5)


def test_which_networks_may():
    assert may_go_in_parts(build_segmenter("mobile_deeplab", CLASSES))
    assert may_go_in_parts(build_segmenter("deeplab_resnet50", CLASSES, frozen_statistics=True))
    assert not may_go_in_parts(build_segmenter("deeplab_resnet50", CLASSES))
