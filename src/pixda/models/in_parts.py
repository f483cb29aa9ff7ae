"""A large batch through a network, a few images at a time, in the memory that these few need."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pixda.models.layers import AnyBatchNorm


class InParts(nn.Module):
    """``network(images)``, computed for ``at_a_time`` images after one another without keeping their activations.

    The backward pass computes the activations of one part again, uses them, and goes on to the next part. Gradients are
    those of the whole batch up to rounding, for any loss, since the loss sees all outputs together. The cost is a
    second forward pass.

    Args:
        network: takes ``B x …`` and gives a tensor or a named tuple of tensors with ``B`` first. An image's output
            must not depend on the other images (see `may_go_in_parts`).
        at_a_time: images in a part.
    """

    def __init__(self, network: nn.Module, at_a_time: int) -> None:
        super().__init__()
        self.network, self.at_a_time = network, at_a_time

    def forward(self, images: Tensor) -> Any:
        """``network(images)``."""
        if len(images) <= self.at_a_time or not torch.is_grad_enabled():
            return self.network(images)
        parts = [checkpoint(self.network, part, use_reentrant=False) for part in torch.split(images, self.at_a_time)]
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return type(parts[0])(*map(torch.cat, zip(*parts, strict=True)))


def may_go_in_parts(network: nn.Module) -> bool:
    """Whether an image's output in training is independent of the others: no batch norm uses the batch's statistics."""
    training = network.training
    network.train()
    mixing = any(isinstance(part, AnyBatchNorm) and part.training for part in network.modules())
    network.train(training)
    return not mixing
