"""Pseudo-labels from confident predictions, with one threshold a class (FDA).

Yang & Soatto, *FDA: Fourier Domain Adaptation for Semantic Segmentation*, CVPR 2020, in the form of the released code.
A pixel is given its likeliest class where that class's confidence reaches the class's own threshold, the value at
position ``round(0.66 n)`` of the class's ``n`` confidences in ascending order, at most 0.9: about the surest third of
every class, and all that is surer than 0.9. The paper is said to keep the top 66 % instead.

Confidences are read as whole steps of 1/50 000, rounded down, so that all pixels of all images are counted in a table
instead of kept: a threshold is at most one step below the value that sorting would give, and 0.9 is exact.
"""

import torch
from torch import Tensor

from pixda.data.classes import IGNORE

STEPS = 50_000


def likeliest(log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest class of each pixel, and how sure it is.

    Args:
        log_probs: float ``B x C x H x W``.

    Returns:
        Labels int64 ``B x H x W``, 0..C-1, and confidences int64 ``B x H x W``, 0..50 000 (in steps).
    """
    sure, labels = log_probs.max(1)
    # Rounding can lift a softmax a hair above 1.
    return labels, (sure.double().exp() * STEPS).long().clamp_max(STEPS)


def count(labels: Tensor, confidences: Tensor, classes: int) -> Tensor:
    """How often each class has each confidence: int64 ``C x 50 001``, on the CPU; tables of several images add up."""
    places = labels * (STEPS + 1) + confidences
    return torch.bincount(places.flatten().cpu(), minlength=classes * (STEPS + 1)).view(classes, STEPS + 1)


def thresholds(counts: Tensor, share: float = 0.66, cap: float = 0.9) -> Tensor:
    """The confidence that each class's pixels must reach, in steps: int64 ``C``; 0 for a class that is nowhere.

    Args:
        counts: int64 ``C x 50 001``, as ``count`` gives.
        share: position in the ascending order, as a share of the class's pixels; of few pixels, at most the last.
        cap: no threshold is above it, 0..1.
    """
    values = []
    for of_class in counts:
        n = int(of_class.sum())
        place = min(round(share * n), n - 1)  # one or two pixels have no position n
        value = int(torch.searchsorted(of_class.cumsum(0), place, right=True)) if n else 0
        values.append(min(value, round(cap * STEPS)))
    return torch.tensor(values)


def keep(labels: Tensor, confidences: Tensor, limits: Tensor) -> Tensor:
    """The labels as a mask, uint8 ``B x H x W``: 255 where the confidence is below the class's threshold."""
    kept = confidences >= limits.to(labels.device)[labels]
    return torch.where(kept, labels, IGNORE).to(torch.uint8)
