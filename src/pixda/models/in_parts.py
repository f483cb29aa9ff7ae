"""A large batch through a network a few images at a time, in the memory of these few."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class InParts(nn.Module):
    """``network(images)``, ``at_a_time`` images after one another, none of its activations kept.

    The backward pass makes the activations of one part again, uses them, and goes on to the next: the same gradients as
    those of the whole batch but for rounding, whatever the loss, since that still sees all outputs together. It costs
    one more forward pass.

    Args:
        network: of which an image's output does not depend on the others; takes ``B x …``, gives a tensor or a
            named tuple of tensors with ``B`` first.
        at_a_time: images of a part.
    """

    def __init__(self, network: nn.Module, at_a_time: int) -> None:
        super().__init__()
        self.network, self.at_a_time = network, at_a_time

    def forward(self, images: Tensor) -> Any:
        """``B x …`` -> what the network makes of it."""
        if len(images) <= self.at_a_time or not torch.is_grad_enabled():
            return self.network(images)
        parts = [checkpoint(self.network, part, use_reentrant=False) for part in torch.split(images, self.at_a_time)]
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return type(parts[0])(*map(torch.cat, zip(*parts, strict=True)))  # a named tuple stays one


def may_go_in_parts(network: nn.Module) -> bool:
    """Whether an image's output does not depend on the others: no batch norm trains on the batch's statistics."""
    was = network.training
    network.train()
    mixing = any(isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training for part in network.modules())
    network.train(was)
    return not mixing
