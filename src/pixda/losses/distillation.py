"""Fine-tuning that does not forget: the student stays near the network it started from."""

from typing import Literal

from torch import Tensor


def distillation_loss(
    student_log_probs: Tensor,
    teacher_logits: Tensor,
    temperature: float,
    over_classes: Literal["sum", "mean"],
) -> Tensor:
    """Cross entropy of the student against the softened or sharpened teacher; PixDA eq. 9.

    ``-mean_i sum_c softmax(t_i / tau)[c] log softmax(s_i)[c]`` over all pixels, the ignored ones included.
    The paper's tau is 0.5 (sharpens). The released code multiplies by 0.5 (tau = 2, softens) and takes the
    mean over classes, which divides the weight by C.

    Args:
        student_log_probs: float ``B x C x H x W``, each <= 0.
        teacher_logits: float ``B x C x H x W``; no gradient flows to it.
        temperature: tau > 0.
        over_classes: ``sum`` (paper) or ``mean`` (released code).

    Returns:
        A scalar >= 0.
    """
    teacher_probs = (teacher_logits.detach() / temperature).softmax(1)
    loss = -(teacher_probs * student_log_probs).sum(1).mean()
    return loss if over_classes == "sum" else loss / student_log_probs.shape[1]
