"""Losses from labels. All take class scores: logits, or log-probabilities, whose softmax is the same."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pixda.data.classes import IGNORE
from pixda.losses.likelihood import mean_over_labelled


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-log p_i[y_i]`` over valid pixels; zero, with a gradient of zero, where none is valid.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        A scalar >= 0.
    """
    return mean_over_labelled(scores, labels, lambda nll, _: (nll, torch.ones_like(nll)))


def focal(scores: Tensor, labels: Tensor, gamma: float, alpha: Tensor, epsilon: float = 0.0) -> Tensor:
    """Focal loss ``mean_i -a[y_i] (1 - p_i)^gamma log p_i`` over valid pixels; PixDA eq. 1.

    Departures: the mean is over valid pixels, as the released code takes it, where the paper divides by all
    of them. The code's ``p_i + 1e-6`` in place of ``p_i`` is ``epsilon``: beside it a confidently wrong pixel has
    almost no gradient, and log-probabilities need no such guard.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        gamma: focusing power >= 0; 0 leaves weighted cross entropy.
        alpha: float ``C``, one weight a class; see ``class_weights``.
        epsilon: added to every ``p_i``, >= 0; ``1 - p_i`` is cut off at zero.

    Returns:
        A scalar >= 0; zero, with a gradient of zero, where no pixel is valid.
    """
    return mean_over_labelled(scores, labels, lambda nll, some: _focus(nll, _weights(some, alpha), gamma, epsilon))


def focal_from_nll(nll: Tensor, labels: Tensor, gamma: float, alpha: Tensor, epsilon: float = 0.0) -> Tensor:
    """``focal`` from each pixel's ``-log p_i``, float ``B x H x W``, zero at ignored pixels."""
    values: Tensor = _Focus.apply(nll, _weights(labels, alpha), gamma, epsilon)  # type: ignore[no-untyped-call]
    return mean_over_valid(values, labels)


def mean_over_valid(values: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``B x H x W`` values over the pixels with a label, whatever the others hold; zero where there is none."""
    valid = labels != IGNORE
    return (values * valid).sum() / valid.sum().clamp_min(1)


def _weights(labels: Tensor, alpha: Tensor) -> Tensor:
    """Each pixel's ``a[y_i]``; any value at ignored pixels, whose NLL is zero."""
    return alpha[labels.clamp_max(alpha.shape[0] - 1)]


def _focus(x: Tensor, weight: Tensor, gamma: float, epsilon: float) -> tuple[Tensor, Tensor]:
    """``a (1 - p)^gamma x`` with ``x = -log p``, and its slope ``a (1 - p)^(gamma - 1) (1 - p + gamma p x)``."""
    if epsilon > 0:
        return _guarded_focus(x, weight, gamma, epsilon)
    # -expm1(-x) = 1 - p without cancellation near p = 1; the clamp keeps the slope of a gamma < 1 finite there.
    doubt = x.neg().expm1_().neg_().clamp_min_(1e-12)
    weighted = weight if gamma == 1 else doubt.pow(gamma - 1).mul_(weight)
    slope = (1 - doubt).mul_(x).mul_(gamma).add_(doubt).mul_(weighted)
    return doubt.mul_(weighted).mul_(x), slope


def _guarded_focus(x: Tensor, weight: Tensor, gamma: float, epsilon: float) -> tuple[Tensor, Tensor]:
    """``-a (1 - q)^gamma log q`` with ``q = p + epsilon``, and its slope by ``x = -log p``:

    ``a p ((1 - q)^gamma / q - gamma (1 - q)^(gamma - 1) log q)``. Both zero where ``x`` is.
    """
    p = x.neg().exp()
    q = p + epsilon
    doubt, log_q = (1 - q).clamp_min(0), q.log()
    steep = torch.where(doubt > 0, doubt, 1).pow(gamma - 1).mul(doubt > 0)
    values = -weight * doubt.pow(gamma) * log_q
    slope = weight * p * (doubt.pow(gamma) / q - gamma * steep * log_q)
    return values.masked_fill(x == 0, 0), slope.masked_fill(x == 0, 0)


class _Focus(torch.autograd.Function):
    """``_focus`` as a layer of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gamma: float, epsilon: float) -> Tensor:
        values, slope = _focus(x, weight, gamma, epsilon)
        ctx.save_for_backward(slope)
        return values

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        (own,) = ctx.saved_tensors
        return own * slope, None, None, None


def class_weights(classes: int, default: float, exceptions: Mapping[int, float], device: torch.device) -> Tensor:
    """The focal loss's ``alpha`` as a vector ``C``: one value for all classes but the exceptions."""
    weights = torch.full((classes,), default)
    for index, value in exceptions.items():
        weights[index] = value
    return weights.to(device)
