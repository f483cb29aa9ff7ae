"""Computing features twice, for parts of a network or of a batch, must change nothing but memory and time."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.losses.segmentation import cross_entropy
from pixda.models import build_segmenter
from pixda.models.deeplab import Bottleneck, DeepLabV2, DilatedSum, ResNet
from pixda.models.layers import SynchronisedBatchNorm, synchronise
from pixda.models.recompute import InMicroBatches, can_be_split
from pixda.models.two_heads import TwoHeads
from pixda.models.upsampling import upsample
from pixda.phases.settings import SegmenterOptimiser
from pixda.phases.trainee import segmenter_trainee

CLASSES = ClassSet.load("camvid-11")


def plainly(block: Bottleneck, x: Tensor) -> Tensor:
    shortcut = x if block.downsample is None else block.downsample(x)
    x = block.relu(block.bn1(block.conv1(x)))
    x = block.relu(block.bn2(block.conv2(x)))
    return block.relu(block.bn3(block.conv3(x)) + shortcut)


@pytest.mark.parametrize("frozen_statistics", [False, True])
def test_a_bottleneck_is_bit_equal_to_the_plain_one(frozen_statistics):
    torch.manual_seed(0)
    block = Bottleneck(16, 8, 1, 2, True, False, frozen_statistics).train()
    nn.init.uniform_(block.bn1.running_var, 0.5, 2.0)
    twin = copy.deepcopy(block)
    x = torch.randn(2, 16, 12, 10)
    results = []
    for one, run in ((block, block), (twin, lambda x: plainly(twin, x))):
        given = x.clone().requires_grad_()
        out = run(given)
        out.square().sum().backward()
        results.append([out, given.grad, *(p.grad for p in one.parameters()), *one.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def small_deeplab():
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 2, 1), width=8)
    return DeepLabV2(backbone, DilatedSum(backbone.channels, 11), CLASSES, "caffe").train()


def run_and_weighed(network, images):
    """The network's output, and the bytes of activations that wait for the backward pass."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    waiting = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            waiting[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(images)
    return output, sum(waiting.values())


def test_kept_norms_change_no_bit_and_keep_more():
    again = small_deeplab()
    kept = copy.deepcopy(again)
    kept.keep_norms()
    images = torch.rand(2, 3, 65, 65) * 255
    results, sizes = [], []
    for network in (kept, again):
        logits, size = run_and_weighed(network, images)
        logits.square().sum().backward()
        results.append([*(p.grad for p in network.parameters() if p.requires_grad), *network.buffers()])
        sizes.append(size)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert sizes[0] > 1.2 * sizes[1]


def small_mobile():
    torch.manual_seed(0)
    return build_segmenter("mobile_deeplab", CLASSES, width=12, frozen_blocks=0, frozen_statistics=False).train()


@pytest.mark.parametrize("build", [small_deeplab, small_mobile])
def test_whole_blocks_change_no_bit(build):
    kept = build()
    again = copy.deepcopy(kept)
    again.recompute_blocks()
    images = torch.rand(2, 3, 65, 65) * 255
    for network in (kept, again):
        for _ in range(2):  # as on source and target, before one backward pass
            logits = network(images)
        logits.square().sum().backward()
    results = [[*(p.grad for p in n.parameters() if p.requires_grad), *n.buffers()] for n in (kept, again)]
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_whole_blocks_keep_less():
    network = small_deeplab()
    images = torch.rand(1, 3, 65, 65)
    _, plain = run_and_weighed(network, images)
    network.recompute_blocks()
    assert run_and_weighed(network, images)[1] < 0.6 * plain


def test_a_network_without_blocks_is_refused():
    with pytest.raises(UserError, match="recompute_blocks"):
        build_segmenter("fcn8s", CLASSES, width=1 / 32).recompute_blocks()


@pytest.fixture
def alone_in_a_group():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("norm", [None, SynchronisedBatchNorm])
def test_the_statistics_of_a_batch_are_counted_once(alone_in_a_group, whole, norm):
    torch.manual_seed(0)
    network = ResNet((1, 1, 1, 1), width=4).train()
    for part in network.modules():
        if isinstance(part, Bottleneck):
            part.recompute = whole
    if norm is not None:
        synchronise(network, torch.device("cpu"))
    network(torch.randn(2, 3, 33, 33)).sum().backward()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}


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


@pytest.mark.parametrize("at_a_time", [2, 5])
def test_gradients_are_those_of_the_whole_batch(network, batch, at_a_time):
    images, masks = batch
    network.train()
    whole = gradients(network, network(images), masks)
    parts = gradients(network, InMicroBatches(network, at_a_time)(images), masks)
    assert whole.keys() == parts.keys()
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-5, atol=1e-7)


def test_both_heads_come_back_by_name(network, batch):
    images, _ = batch
    heads = TwoHeads(network).double().train()
    whole, parts = heads(images), InMicroBatches(heads, 2)(images)
    torch.testing.assert_close(parts.main, whole.main)
    torch.testing.assert_close(parts.auxiliary, whole.auxiliary)


def test_the_graph_of_a_part_is_not_kept(network, batch):
    images, _ = batch
    network.train()
    _, whole = run_and_weighed(network, images)
    _, parts = run_and_weighed(InMicroBatches(network, 1), images)
    assert parts < whole / 20


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
    assert can_be_split(build_segmenter("mobile_deeplab", CLASSES))
    assert can_be_split(build_segmenter("deeplab_resnet50", CLASSES, frozen_statistics=True))
    assert not can_be_split(build_segmenter("deeplab_resnet50", CLASSES))
