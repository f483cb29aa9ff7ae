"""Computing features twice must change nothing but memory and time."""

import copy

import pytest
import torch
from torch import Tensor, nn

from pixda.models.resnet import Bottleneck, ResNet


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


def test_the_statistics_of_a_batch_are_counted_once():
    torch.manual_seed(0)
    network = ResNet((1, 1, 1, 1), width=4).train()
    network(torch.randn(2, 3, 33, 33)).sum().backward()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}
