"""Synthetic pixels that count by how real they look: what is known of NAAE, and our reconstruction of the rest.

Sun et al., *Not All Areas Are Equal: Transfer Learning for Semantic Segmentation via Hierarchical Region Selection*,
CVPR 2019. Its full text and its code could not be reached. Known from its abstract and supplement: three networks
score each synthetic pixel from the segmentation's prediction, at the level of pixels, regions and the image; their
weights are soft; there is one map for all classes or one for each. Everything else below is OUR RECONSTRUCTION.

As everywhere here, a logit ``z`` says "target": ``P(target) = sigmoid(z)``, source = 0, target = 1.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.losses.likelihood import pixel_nll
from pixda.losses.segmentation import mean_over_valid


def weighted_cross_entropy(scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """``(1/N) sum_i w_i (-log p_i[y_i])``, N the number of valid pixels; not the sum of the weights.

    So small weights make a small loss: a batch that looks like no real image at all teaches little. That N is a
    count of pixels is known from the code of MetaPix, which has a function named after this paper; that it counts
    the valid ones only is our reading, under which weights of one give ``cross_entropy`` back.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        weights: float ``B x H x W``, >= 0.

    Returns:
        A scalar >= 0; zero, with a gradient of zero, where no pixel is valid.
    """
    return mean_over_valid(weights * pixel_nll(scores, labels), labels)


def at_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """What a weighting network says of each pixel: of its cell, and of its class where there is a map for each.

    Args:
        logits: float ``B x K x h x w``, K = 1 (one map for all classes) or C (one a class); each of the ``h x w``
            cells stands for all the pixels in it.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored), H >= h and W >= w.

    Returns:
        Float ``B x H x W``: ``z`` of the cell of pixel i, with K = C in the map of class ``y_i``. Without meaning
        at ignored pixels.
    """
    spread = F.interpolate(logits, size=labels.shape[-2:], mode="nearest-exact")
    classes = spread.shape[1]
    return spread.gather(1, labels.clamp_max(classes - 1).unsqueeze(1)).squeeze(1)


def realism(
    logits_of_levels: Sequence[Tensor],
    labels: Tensor,
    normalise: bool,
    average: Callable[[Tensor], Tensor] = lambda mean: mean,
) -> Tensor:
    """The weight of each pixel, ``w_i = (P_pixel P_region P_image)^(1/3)``, each factor ``P(target)`` at pixel i.

    How the paper combines the three levels is not known; the geometric mean is our reconstruction.

    Args:
        logits_of_levels: logits of the networks, each float ``B x K x h x w`` as in ``at_labels``.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        normalise: divide by the mean over the batch's valid pixels, so that only ratios of weights matter.
        average: where a batch is divided over processes, from the mean of this one's part to that of the batch.

    Returns:
        Float ``B x H x W`` in 0..1, or with a mean of 1. The caller detaches it.
    """
    # The mean of logarithms: three probabilities of 1e-20 have no product in float32.
    logs = [F.logsigmoid(at_labels(logits.float(), labels)) for logits in logits_of_levels]
    weights = torch.stack(logs).mean(0).exp()
    return weights / average(mean_over_valid(weights, labels)).clamp_min(1e-12) if normalise else weights


def weighting_loss(
    source: Tensor,
    source_labels: Tensor,
    target: Tensor,
    target_labels: Tensor,
    shares: tuple[Tensor | float, Tensor | float] = (1.0, 1.0),
) -> Tensor:
    """Binary cross entropy of a weighting network on valid pixels: source = 0, target = 1, half of it each.

    ``1/2 mean_i softplus(z_i) + 1/2 mean_j softplus(-z_j)`` with i the source's and j the target's valid pixels and
    ``z`` as in ``at_labels``. With one map a class, each map so learns on the pixels of its class only; learning
    on all pixels, all maps would learn the same. Our reconstruction.

    Args:
        source: float ``B x K x h x w``, the network's logits on source maps.
        source_labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        target: float ``B x K x h x w``, its logits on target maps.
        target_labels: int64 ``B x H x W``, likewise.
        shares: by how much the two means count; of several processes, each has means over its part of a batch.

    Returns:
        A scalar >= 0; log 2 for a network at chance.
    """
    of_source = mean_over_valid(F.softplus(at_labels(source, source_labels)), source_labels)
    of_target = mean_over_valid(F.softplus(-at_labels(target, target_labels)), target_labels)
    return 0.5 * shares[0] * of_source + 0.5 * shares[1] * of_target
