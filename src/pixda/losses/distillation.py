"""Fine-tuning that does not forget: the student stays near the network it started from."""

from typing import Literal

from torch import Tensor

from pixda.losses.likelihood import cross_entropy_of_maps


def distillation_loss(
    student: Tensor,
    teacher_logits: Tensor,
    temperature: float,
    over_classes: Literal["sum", "mean"],
) -> Tensor:
    """Cross entropy of the student against the softened or sharpened teacher; PixDA eq. 9.

    ``-mean_i sum_c softmax(t_i / tau)[c] log softmax(s_i)[c]`` over all pixels, the ignored ones included.
    The paper's tau is 0.5 (sharpens). The released code multiplies by 0.5 (tau = 2, softens) and takes the
    mean over classes, which divides the weight by C.

    Args:
        student: float ``B x C x H x W``, logits or log-probabilities.
        teacher_logits: float ``B x C x H x W``; no gradient flows to it.
        temperature: tau > 0.
        over_classes: ``sum`` (paper) or ``mean`` (released code).

    Returns:
        A scalar >= 0.
    """
    batch, classes, height, width = student.shape
    loss = cross_entropy_of_maps(student, teacher_logits.detach(), temperature) / (batch * height * width)
    return loss if over_classes == "sum" else loss / classes
