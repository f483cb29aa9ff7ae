"""The optimiser of the released code, which updates most of the backbone three times in every step."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD

from pixda.models.deeplab import ResNet


class ReleasedSGD(SGD):
    """SGD over groups that each say how often a step updates them: ``updates``, all with one gradient.

    The released code (PixDA's, and AdaptSegNet's, ADVENT's and FDA's, from which it comes) hands SGD a list that names
    a weight once for every module around it, so that a step updates it that often:
    ``v <- momentum v + (gradient + decay w); w <- w - rate v``, repeated. In a weight's very first step each of its
    updates begins a momentum of its own, ``v = gradient + decay w``, and the last one is kept: the list of momenta was
    gathered before any of them was made. Current versions of torch refuse such a list.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every group as often as its ``updates`` says."""
        new = {p for group in self.param_groups for p in group["params"] if "momentum_buffer" not in self.state[p]}
        loss: float | None = super().step(closure)
        for number in range(1, max(group["updates"] for group in self.param_groups)):
            done = [p for group in self.param_groups if group["updates"] <= number for p in group["params"]]
            gradients = [p.grad for p in done]
            for p in done:
                p.grad = None  # SGD skips parameters without a gradient
            for p in new.difference(done):
                self.state[p].pop("momentum_buffer", None)
            super().step()
            for p, gradient in zip(done, gradients, strict=True):
                p.grad = gradient
        return loss


def times_listed(backbone: ResNet) -> dict[nn.Parameter, int]:
    """How often the released ``get_1x_lr_params_no_scale`` names each weight of the backbone.

    Of ResNet-101: three times for the 99 convolutions of the blocks (layer, block, convolution), four times for the
    four shortcuts (layer, block, sequence, convolution), once for the first convolution.
    """
    parts = [backbone.conv1, backbone.bn1, backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4]
    return Counter(p for part in parts for module in part.modules() for p in module.parameters() if p.requires_grad)


def in_groups(network: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Optimiser groups, each split by how often a step updates its weights; once in networks without a ResNet."""
    backbone = next((module for module in network.modules() if isinstance(module, ResNet)), None)
    listed = {} if backbone is None else times_listed(backbone)
    split = []
    for group in groups:
        times = [listed.get(p, 1) for p in group["params"]]
        for updates in sorted(set(times)):
            chosen = [p for p, count in zip(group["params"], times, strict=True) if count == updates]
            split.append(group | {"params": chosen, "updates": updates})
    return split
