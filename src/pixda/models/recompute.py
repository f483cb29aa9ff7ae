"""Features that are computed again in the backward pass instead of being kept: less memory, more time.

`Block` and `RecomputedNorms` do so for parts of a network, `InMicroBatches` for a few images of a batch after the
others.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pixda.models.layers import AnyBatchNorm


class Block(nn.Module):
    """A part of a network, defined by `run`. With `recompute` it keeps only its input for the backward pass."""

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """``run(x)``."""
        if not self.recompute:
            return self.run(x)
        return recomputed(self.run, [part for part in self.modules() if isinstance(part, AnyBatchNorm)], x)

    def run(self, x: Tensor) -> Tensor:
        """Features -> features."""
        raise NotImplementedError


class RecomputedNorms(nn.Module):
    """A part that computes the maps around its batch norms again in the backward pass, unless `keep_norms` is set.

    On a processor this saves a third of the memory at hardly any cost in time. On a GPU it doubles the time of a step,
    since every small operation has to be launched again.
    """

    keep_norms = False


def recomputed(run: Callable[[Tensor], Tensor], norms: Sequence[AnyBatchNorm], x: Tensor) -> Tensor:
    """``run(x)``, of which only ``x`` is kept for the backward pass; values and gradients are the same to the last bit.

    Everything up to the input of the last layer is computed twice; a convolution as the last layer is computed once.
    ``norms`` are the batch norms in ``run``, whose running statistics must not count the batch twice.
    """
    if not torch.is_grad_enabled():
        return run(x)
    result: Tensor = checkpoint(
        run,
        x,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), _statistics_held(norms)),
    )
    return result


@contextmanager
def _statistics_held(norms: Sequence[AnyBatchNorm]) -> Iterator[None]:
    """Let the norms update copies of their running statistics instead of their own."""
    counted = [(norm, name, buffer) for norm in norms if norm.training for name, buffer in norm.named_buffers()]
    for norm, name, buffer in counted:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in counted:
            setattr(norm, name, buffer)


class InMicroBatches(nn.Module):
    """``network(images)``, computed for ``at_a_time`` images after one another without keeping their activations.

    The backward pass computes the activations of one part again, uses them, and goes on to the next part. Gradients are
    those of the whole batch up to rounding, for any loss, since the loss sees all outputs together. The cost is a
    second forward pass.

    Args:
        network: takes ``B x …`` and gives a tensor or a named tuple of tensors with ``B`` first. An image's output
            must not depend on the other images (see `can_be_split`).
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


def can_be_split(network: nn.Module) -> bool:
    """Whether an image's output in training is independent of the others: no batch norm uses the batch's statistics."""
    training = network.training
    network.train()
    mixing = any(isinstance(part, AnyBatchNorm) and part.training for part in network.modules())
    network.train(training)
    return not mixing
