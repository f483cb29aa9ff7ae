"""Features that are computed again in the backward pass instead of being kept: less memory, more time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

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


class NormsAgain(nn.Module):
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
        run, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (nullcontext(), _uncounted(norms))
    )
    return result


@contextmanager
def _uncounted(norms: Sequence[AnyBatchNorm]) -> Iterator[None]:
    """Let the norms update copies of their running statistics instead of their own."""
    counted = [(norm, name, buffer) for norm in norms if norm.training for name, buffer in norm.named_buffers()]
    for norm, name, buffer in counted:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in counted:
            setattr(norm, name, buffer)
