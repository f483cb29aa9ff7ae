"""Alignment of the domains by discriminators. Discriminators give logits of "is target": source = 0, target = 1.

Tavera et al., *Pixel-by-Pixel Cross-Domain Alignment for Few-Shot Semantic Segmentation*, WACV 2022, eq. 2-8.
With a logit ``z``, ``-log P(source) = softplus(z)`` and ``-log P(target) = softplus(-z)``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.losses.likelihood import pixel_nll


def discriminator_loss(source_logits: Tensor, target_logits: Tensor, source_share: float = 1.0) -> Tensor:
    """Binary cross entropy of a discriminator, pixel-wise (eq. 2) or image-wise (eq. 7).

    ``1/2 mean softplus(z_source) + 1/2 mean softplus(-z_target)``. Departures: the paper's eq. 2 sums over
    pixels and its minus sign covers the first term only; this is the released code's reading.

    Args:
        source_logits: float of any shape, the discriminator's logits on source maps.
        target_logits: float of any shape, the discriminator's logits on target maps.
        source_share: by how much the first mean counts; processes may have unequal parts of a source's maps.

    Returns:
        A scalar >= 0; log 2 for a discriminator at chance.
    """
    return 0.5 * source_share * F.softplus(source_logits).mean() + 0.5 * F.softplus(-target_logits).mean()


def fool_loss(target_logits: Tensor) -> Tensor:
    """The segmenter's plain adversarial loss: mean of ``-log P(source)`` on target maps (Table 3's first row)."""
    return F.softplus(target_logits).mean()


def pixadv_loss(target_logits: Tensor, weights: Tensor) -> Tensor:
    """PixAdv, eq. 3: ``1/(N H W) sum_i S_i B_i (-log P(source)_i)`` on target maps.

    Args:
        target_logits: float ``B x 1 x h x w``, the pixel discriminator's logits on target maps.
        weights: float ``B x H x W``, the product S B (or S, B or ones, for the ablations). Where the discriminator
            works on a smaller map than the labels, the weights are averaged over each of its cells.

    Returns:
        A scalar >= 0. The mean is over all pixels, the ignored ones included (their S is zero).
    """
    height, width = target_logits.shape[-2:]
    if weights.shape[-2:] != (height, width):
        weights = F.adaptive_avg_pool2d(weights, (height, width))
    return (weights * F.softplus(target_logits.squeeze(1))).mean()


def difficulty(scores: Tensor, labels: Tensor) -> Tensor:
    """S, eq. 4: how badly a pixel is classified, its cross entropy ``-log p_i[y_i]``.

    The caller detaches it, as the paper says ("not used in back-propagation"), or leaves it in the graph, as
    the released code does.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        Float ``B x H x W`` >= 0, zero at ignored pixels.
    """
    return pixel_nll(scores, labels)


def pseudo_labels(log_probs: Tensor) -> Tensor:
    """Labels for target images that have none: ``y_i = argmax_c p_i[c]``.

    With them ``difficulty`` is ``-log max_c p_i[c]``, and ``rarity`` counts the classes that the network sees in the
    image. The paper says that PixAdv extends to unlabelled targets and does not say how: this is our reconstruction.

    Args:
        log_probs: float ``B x C x H x W``.

    Returns:
        Int64 ``B x H x W``, 0..C-1; of equal classes the first. It carries no gradient.
    """
    return log_probs.argmax(1)


def rarity(labels: Tensor) -> Tensor:
    """B, eq. 5: how rare a pixel's class is in its image, ``1 - n(y_i) / n``.

    All pixels count in ``n``, and ignored ones count as a class of their own, as in the released code.

    Args:
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        Float32 ``B x H x W`` in 0..1. It carries no gradient.
    """
    flat = labels.flatten(1)  # B x HW
    counts = torch.zeros(flat.shape[0], 256, device=labels.device)
    # Ones add up exactly in float32 below 2^24 pixels an image, in any order: deterministic on a GPU too,
    # and unlike bincount no size has to travel back to the host.
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float32))
    return (1 - counts / flat.shape[1]).gather(1, flat).view(labels.shape)
