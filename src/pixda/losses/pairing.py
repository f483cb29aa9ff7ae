"""FSDA's own losses: labels without the easy pixels, and a discriminator of pairs of maps.

Zhang et al., *Few-Shot Structured Domain Adaptation for Virtual-to-Real Scene Parsing*, ICCVW 2019. The
values and signs here are those of the authors' released code (the script for SYNTHIA).
"""

from torch import Tensor

from pixda.data.classes import IGNORE

BOTH_SOURCE, MIXED, BOTH_TARGET = 1.0, 0.0, -1.0
"""What a discriminator of pairs is to answer. Not a logit of "target": there are three kinds of pairs."""


def without_easy_pixels(labels: Tensor, auxiliary: Tensor, confidence: float) -> Tensor:
    """Static label filtering: ignore the pixels of which the auxiliary head is sure already.

    ``y'_i = 255 where max_c p_i[c] > beta, else y_i``. Only the confidence counts, not whether it is right.

    Args:
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored); left as they are.
        auxiliary: float ``B x C x H x W``, that head's logits; no gradient flows to them.
        confidence: beta in 0..1; 1 filters nothing.

    Returns:
        Int64 ``B x H x W``.
    """
    sure = auxiliary.detach().softmax(1).amax(1) > confidence
    return labels.masked_fill(sure, IGNORE)


def pair_loss(answers: Tensor, kind: float) -> Tensor:
    """``mean (tanh(a) - kind)^2``: how far a discriminator of pairs is from calling all of them of this kind.

    Args:
        answers: float of any shape, what the discriminator puts out.
        kind: :data:`BOTH_SOURCE`, :data:`MIXED` or :data:`BOTH_TARGET`.

    Returns:
        A scalar in 0..4.
    """
    return (answers.tanh() - kind).square().mean()


def pairing_discriminator_loss(both_source: Tensor, mixed: Tensor, both_target: Tensor) -> Tensor:
    """The objective of a discriminator of pairs: tell two source maps, two target maps and one of each apart.

    ``1/2 [E(S, S') + E(S', T)] + 1/2 [E(T', T) + E(S, T')]``, with E the ``pair_loss`` to the pair's own kind
    and a dash for the iteration before.

    Args:
        both_source: float ``B x K x h x w``, the discriminator's answers to pairs of source maps.
        mixed: float ``2 B x K x h x w``, to both kinds of mixed pairs.
        both_target: float ``B x K x h x w``, to pairs of target maps.

    Returns:
        A scalar >= 0.
    """
    return (
        0.5 * pair_loss(both_source, BOTH_SOURCE)
        + 0.5 * pair_loss(both_target, BOTH_TARGET)
        + pair_loss(mixed, MIXED)  # the mean over two halves of one size is half of their sum
    )
