"""Computing features twice must change nothing but memory and time."""

import copy

import pytest
import torch
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.deeplab import Bottleneck, ResNet
from pixda.models.layers import SynchronisedBatchNorm, synchronise

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


def test_kept_norms_change_no_bit_and_keep_more():
    torch.manual_seed(0)
    again = build_segmenter("deeplab_resnet50", CLASSES).train()
    kept = copy.deepcopy(again)
    kept.keep_norms()
    images = torch.rand(2, 3, 65, 65) * 255
    results, sizes = [], []
    for network in (kept, again):
        waiting = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, w=waiting: w.append(t.nbytes) or t, lambda t: t):
            logits = network(images)
        logits.square().sum().backward()
        results.append([*(p.grad for p in network.parameters() if p.requires_grad), *network.buffers()])
        sizes.append(sum(waiting))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert sizes[0] > 1.2 * sizes[1]


@pytest.mark.parametrize("architecture", ["deeplab_resnet50", "mobile_deeplab"])
def test_whole_blocks_change_no_bit(architecture):
    torch.manual_seed(0)
    options = {"frozen_blocks": 0} if architecture == "mobile_deeplab" else {}
    kept = build_segmenter(architecture, CLASSES, frozen_statistics=False, **options).train()
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
    """Bytes that wait for the backward pass."""
    torch.manual_seed(0)
    sizes = []
    for whole in (False, True):
        network = build_segmenter("deeplab_resnet50", CLASSES).train()
        if whole:
            network.recompute_blocks()
        weights = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}
        kept = {}

        def keep(tensor, kept=kept, weights=weights):
            if tensor.untyped_storage().data_ptr() not in weights:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = network(torch.rand(1, 3, 65, 65))
        sizes.append(sum(kept.values()))
        del logits
    assert sizes[1] < 0.6 * sizes[0]


def test_a_network_without_blocks_is_refused():
    with pytest.raises(UserError, match="recompute_blocks"):
        build_segmenter("fcn8s", CLASSES).recompute_blocks()


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
