"""Certainty on images without labels: the entropy of the predictions, weighted so that doubtful pixels count most."""

import math

from torch import Tensor


def charbonnier_entropy(log_probs: Tensor, eta: float, epsilon: float = 1e-3) -> Tensor:
    """Robust entropy, ``mean_i rho(h_i)`` with ``rho(h) = (h^2 + epsilon^2)^eta``, as FDA has it.

    ``h_i = -sum_c p_i[c] log p_i[c] / log C`` is the entropy of a pixel, 0 where the network is sure and 1 where it
    knows nothing. With ``eta > 0.5`` the slope grows with ``h``: pixels in doubt are pushed harder than sure ones.

    Yang & Soatto, *FDA: Fourier Domain Adaptation for Semantic Segmentation*, CVPR 2020. The paper's epsilon is 0.001;
    the released code adds 1e-8 to ``h^2``, which is an epsilon of 0.0001. Beside an ``h`` of a tenth neither is seen.

    Args:
        log_probs: float ``B x C x h x w``, each <= 0; finite. The released code takes them at the logits' own size.
        eta: exponent > 0; FDA has 2.
        epsilon: keeps the slope finite at ``h = 0`` where ``eta`` is below one half.

    Returns:
        A scalar in ``epsilon^(2 eta)..(1 + epsilon^2)^eta``. All pixels count: no label is asked for.
    """
    entropy = -(log_probs.exp() * log_probs).sum(1) / math.log(log_probs.shape[1])
    return ((entropy**2 + epsilon**2) ** eta).mean()
