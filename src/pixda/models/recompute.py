"""Features that are computed again in the backward pass instead of being kept: less memory for more time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pixda.models.batch_norm import BatchNorm


def recomputed(run: Callable[[Tensor], Tensor], norms: list[BatchNorm], x: Tensor) -> Tensor:
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


def _again(norms: list[BatchNorm]) -> AbstractContextManager[None]:
    @contextmanager
    def repeating() -> Iterator[None]:
        for norm in norms:
            norm.again = True
        try:
            yield
        finally:
            for norm in norms:
                norm.again = False

    return repeating()
