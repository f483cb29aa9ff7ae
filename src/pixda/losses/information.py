"""Self-information maps: what ADVENT's discriminators see of a prediction in place of its softmax map."""

import math

from torch import Tensor


def self_information(log_probs: Tensor) -> Tensor:
    """``I_c = -p_c log2(p_c) / log2(C)`` at each pixel: its sum over the classes is the entropy, 1 for even odds.

    Vu et al., *ADVENT: Adversarial Entropy Minimization for Domain Adaptation in Semantic Segmentation*, CVPR 2019,
    section 3.2, there ``-p log p``; the division by ``log2(C)`` is the released code's. From log-probabilities it
    needs no guard at ``p = 0``, where the code adds 1e-30.

    Args:
        log_probs: float ``B x C x H x W``, each <= 0, finite; C >= 2.

    Returns:
        Float ``B x C x H x W`` in 0..1/(e ln C), with gradients.
    """
    return -(log_probs.exp() * log_probs) / math.log(log_probs.shape[1])
