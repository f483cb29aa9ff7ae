"""Losses from labels. All take log-probabilities, so that one ``log_softmax`` a step serves every loss."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.data.classes import IGNORE


def cross_entropy(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Mean of ``-log p_i[y_i]`` over valid pixels; zero, with a gradient of zero, where none is valid.

    Args:
        log_probs: float ``B x C x H x W``, each <= 0.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        A scalar >= 0.
    """
    return _mean_over_valid(per_pixel_cross_entropy(log_probs, labels), labels)


def focal(log_probs: Tensor, labels: Tensor, gamma: float, alpha: Tensor) -> Tensor:
    """Focal loss ``mean_i -a[y_i] (1 - p_i)^gamma log p_i`` over valid pixels; PixDA eq. 1.

    Departures: the mean is over valid pixels, as the released code takes it, where the paper divides by all
    of them; the code's ``p + 1e-6`` is left out, because beside it a confidently wrong pixel has almost no
    gradient, and log-probabilities need no such guard.

    Args:
        log_probs: float ``B x C x H x W``, each <= 0.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        gamma: focusing power >= 0; 0 leaves weighted cross entropy.
        alpha: float ``C``, one weight a class; see :func:`class_weights`.

    Returns:
        A scalar >= 0; zero, with a gradient of zero, where no pixel is valid.
    """
    surprise = per_pixel_cross_entropy(log_probs, labels)  # -log p_i, 0 at ignored pixels
    weight = alpha[labels.clamp_max(alpha.shape[0] - 1)]
    # -expm1(-x) = 1 - p without cancellation near p = 1; the clamp keeps the slope of a gamma < 1 finite there.
    doubt = (-torch.expm1(-surprise)).clamp_min(1e-12)
    return _mean_over_valid(weight * doubt**gamma * surprise, labels)


def class_weights(classes: int, default: float, exceptions: Mapping[int, float], device: torch.device) -> Tensor:
    """The focal loss's ``alpha`` as a vector ``C``: one value for all classes but the exceptions."""
    weights = torch.full((classes,), default)
    for index, value in exceptions.items():
        weights[index] = value
    return weights.to(device)


def per_pixel_cross_entropy(log_probs: Tensor, labels: Tensor) -> Tensor:
    """``-log p_i[y_i]`` at each pixel, ``B x H x W``, zero at ignored pixels."""
    return F.nll_loss(log_probs, labels, ignore_index=IGNORE, reduction="none")


def _mean_over_valid(values: Tensor, labels: Tensor) -> Tensor:
    """Mean of values (zero at ignored pixels) over the valid pixels; zero where there is none."""
    return values.sum() / (labels != IGNORE).sum().clamp_min(1)
