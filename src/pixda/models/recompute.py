"""Features that are computed again in the backward pass instead of being kept: less memory for more time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pixda.models.layers import AnyBatchNorm


class Block(nn.Module):
    """A stretch of a network, `run`, that keeps nothing but its input for the gradient where `recompute` is set."""

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """What `run` makes of it."""
        if not self.recompute:
            return self.run(x)
        return recomputed(self.run, [part for part in self.modules() if isinstance(part, AnyBatchNorm)], x)

    def run(self, x: Tensor) -> Tensor:
        """Features to features."""
        raise NotImplementedError


class NormsAgain(nn.Module):
    """A part that computes cheap maps around its batch norms again in the backward pass, unless `keep_norms` is set.

    On a processor that saves a third of the memory and hardly any time is lost; on a GPU, which waits for each of the
    many small operations to be launched, the same makes a step take twice as long.
    """

    keep_norms = False


def recomputed(run: Callable[[Tensor], Tensor], norms: Sequence[AnyBatchNorm], x: Tensor) -> Tensor:
    """``run(x)``, of which nothing but ``x`` is kept for the gradient; to the last bit the same values and gradients.

    What lies between ``x`` and the input of the last layer is computed twice, so that a last convolution costs
    nothing more. ``norms`` are those in ``run``: the second pass must not count its batch again.
    """
    if not torch.is_grad_enabled():
        return run(x)
    result: Tensor = checkpoint(
        run, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (nullcontext(), _again(norms))
    )
    return result


@contextmanager
def _again(norms: Sequence[AnyBatchNorm]) -> Iterator[None]:
    """While a pass is repeated, copies take what it would count. Of any kind of norm: processes may share theirs."""
    counted = [(norm, name, buffer) for norm in norms if norm.training for name, buffer in norm.named_buffers()]
    for norm, name, buffer in counted:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in counted:
            setattr(norm, name, buffer)
