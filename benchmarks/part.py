"""What is measured: a part in two forms, that they agree, and how much faster the second ought to be."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.setting import Setting


@dataclass(frozen=True)
class Forms:
    """A part ready to run."""

    plain: Callable[[], object]
    product: Callable[[], object]
    check: Callable[[], str]
    """Raises AssertionError where the forms or an oracle in float64 disagree; says how near they are."""
    traffic: float = 0.0
    """Bytes that must be read and written at the least; 0: the part is bound by arithmetic."""


@dataclass(frozen=True)
class Part:
    """A part of the work, and its goal."""

    name: str
    title: str
    make: Callable[[Setting], Forms]
    at_least: float | None = None
    """Times as fast as the plain form."""
    at_most: float | None = None
    """Times as long as the other form, where that is only a piece of this one."""
    cuda_only: bool = False
    """Not worth measuring on a CPU: bf16 is emulated there and several times slower."""

    def reached(self, ratio: float) -> bool:
        """Whether a ratio of times, plain over product, meets the goal."""
        if self.at_most is not None:
            return 1 / ratio <= self.at_most
        return self.at_least is None or ratio >= self.at_least


def near(value: Tensor, exact: Tensor, atol: float = 0.0, rtol: float = 0.0) -> str:
    """Assert that a result is that of an oracle; the largest error as text."""
    torch.testing.assert_close(value.double(), exact.double(), atol=atol, rtol=rtol)
    worst = float((value.double() - exact.double()).abs().max())
    return f"{worst:.0e}" if worst else "exact"


def near_as_a_whole(value: Tensor, exact: Tensor, share: float) -> str:
    """Assert that an error's norm is at most this share of the oracle's.

    For gradients through leaky ReLUs: where a value rounds to the other side of zero, a single slope is another one.
    """
    off = float((value.double() - exact.double()).norm() / exact.double().norm())
    assert off <= share, f"the error is {off:.1e} of the whole"
    return f"{off:.0e} of the norm"


def drained(tensors: list[Tensor]) -> None:
    """Forget gradients, so that each run begins alike."""
    for tensor in tensors:
        tensor.grad = None
