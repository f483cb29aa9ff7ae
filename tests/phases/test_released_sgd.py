"""The released optimiser against SGD written out over a list that names weights several times, in float64."""

from collections import Counter

import pytest
import torch
from torch import nn

from pixda.models import build_segmenter
from pixda.models.deeplab import ResNet
from pixda.phases.released_sgd import ReleasedSGD, in_groups, times_listed
from pixda.phases.settings import SegmenterOptimiser
from pixda.phases.trainee import segmenter_trainee


def test_resnet_101_is_listed_as_often_as_measured_on_the_released_code():
    """By name: the blocks' convolutions three times, shortcuts four times, the first convolution once."""
    backbone = ResNet()
    times = times_listed(backbone)
    names = {p: name for name, p in backbone.named_parameters()}
    assert Counter(times.values()) == {3: 99, 4: 4, 1: 1}
    assert {names[p] for p, count in times.items() if count == 1} == {"conv1.weight"}
    assert {names[p] for p, count in times.items() if count == 4} == {
        f"layer{n}.0.downsample.0.weight" for n in (1, 2, 3, 4)
    }


def literal(weights, gradients, times, rates, momentum, decay):
    """Five steps over the list [w for each of its times], momenta gathered before the pass as torch did."""
    buffers = [None] * len(weights)
    weights = [w.clone() for w in weights]
    for step, of_step in enumerate(gradients):
        listed = [(n, buffers[n]) for n in range(len(weights)) for _ in range(times[n])]
        for n, buffer in listed:
            change = of_step[n] + decay * weights[n]
            # The same buffer for all of a weight's entries; none at all in the first step.
            buffers[n] = change.clone() if buffer is None else buffer.mul_(momentum).add_(change)
            weights[n] = weights[n] - rates[step] * buffers[n]
    return weights


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_six_steps_are_those_of_the_list(momentum):
    torch.manual_seed(0)
    times, rates = [1, 3, 4, 1], [0.1, 0.09, 0.08, 0.07, 0.06, 0.05]
    weights = [nn.Parameter(torch.randn(3, 2, dtype=torch.float64)) for _ in times]
    gradients = [[torch.randn(3, 2, dtype=torch.float64) for _ in times] for _ in rates]
    expected = literal([w.detach() for w in weights], gradients, times, rates, momentum, 5e-3)
    groups = [{"params": [w], "updates": count} for w, count in zip(weights, times, strict=True)]
    optimiser = ReleasedSGD(groups, lr=0.1, momentum=momentum, weight_decay=5e-3)
    for of_step, rate in zip(gradients, rates, strict=True):
        for w, gradient in zip(weights, of_step, strict=True):
            w.grad = gradient.clone()
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        assert all(torch.equal(w.grad, gradient) for w, gradient in zip(weights, of_step, strict=True))
    for w, wanted in zip(weights, expected, strict=True):
        torch.testing.assert_close(w.detach(), wanted, rtol=1e-12, atol=1e-12)


def test_each_weight_is_in_one_group_and_other_networks_are_updated_once(classes, context):
    segmenter = build_segmenter("deeplab_resnet50", classes)
    groups = in_groups(segmenter, segmenter.parameter_groups(1e-3, 10))
    seen = [p for group in groups for p in group["params"]]
    assert len(seen) == len(set(seen)) == sum(p.requires_grad for p in segmenter.parameters())
    assert [(group["name"], group["updates"], group["lr"]) for group in groups] == [
        ("backbone", 1, 1e-3),
        ("backbone", 3, 1e-3),
        ("backbone", 4, 1e-3),
        ("head", 1, 1e-2),
    ]
    trainee = segmenter_trainee(
        context.fabric, context.segmenter, SegmenterOptimiser(updates="as_released", horizon=10)
    )
    assert {group["updates"] for group in trainee._optimiser.param_groups} == {1}
