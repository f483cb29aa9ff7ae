"""Features that are computed again in the backward pass instead of being kept: less memory for more time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    """A stretch of a network, `run`, that keeps nothing but its input for the gradient where `recompute` is set."""

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """What `run` makes of it."""
        if not self.recompute:
            return self.run(x)
        return recomputed(self.run, [part for part in self.modules() if is_norm(part)], x)

    def run(self, x: Tensor) -> Tensor:
        """Features to features."""
        raise NotImplementedError


def is_norm(part: nn.Module) -> bool:
    """Whether it may keep statistics of what passes through it."""
    return isinstance(part, nn.modules.batchnorm._BatchNorm)


def recomputed(run: Callable[[Tensor], Tensor], norms: Sequence[nn.Module], x: Tensor) -> Tensor:
    """``run(x)``, of which nothing but ``x`` is kept for the gradient; to the last bit the same values and gradients.

    What lies between ``x`` and the input of the last layer is computed twice, so that a last convolution costs
    nothing more. ``norms`` are those in ``run``: the second pass must not count its batch again.
    """
    if not torch.is_grad_enabled():
        return run(x)
    result: Tensor = checkpoint(
        run, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (nullcontext(), _repeating(norms))
    )
    return result


@contextmanager
def _repeating(norms: Sequence[nn.Module]) -> Iterator[None]:
    """Leave the statistics of norms as they are, whatever passes through them."""
    kept = [(buffer, buffer.clone()) for norm in norms if norm.training for buffer in norm.buffers()]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.data.copy_(before)  # .data: a graph that waits for its backward pass may hold the buffer
