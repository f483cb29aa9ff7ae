"""Base of the phases that train a segmenter with an auxiliary head and discriminators on both."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Batch
from pixda.models.segmenter import Segmenter
from pixda.models.two_heads import TwoLogits, middle_of
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase, check_map_size
from pixda.phases.settings import DiscriminatorOptimiser, Heads
from pixda.phases.trainee import Trainee, two_heads_trainee

Both = tuple[Tensor, Tensor]
"""Something of the main head, and the same of the auxiliary one."""

HEADS = ("", "auxiliary_")
"""How the names of their losses begin."""


@dataclass(kw_only=True, eq=False)
class TwoHeadPhase(Phase):
    """A phase that trains the segmenter with an additional auxiliary head, which is dropped afterwards."""

    discriminator_optimiser: DiscriminatorOptimiser
    heads: Heads

    def __post_init__(self) -> None:
        self.lambdas = (self.heads.weight, self.heads.auxiliary_weight)
        self.label_weights = (1.0, self.heads.auxiliary_segmentation)

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse a network without middle features, and images whose maps are too small for an image discriminator."""
        middle_of(segmenter)
        check_map_size(segmenter, size, self.heads.discriminators_at, "--recipe.heads.discriminators_at")

    def new_segmenter(self, context: Context) -> Trainee[Any]:
        """The segmenter and a new auxiliary head."""
        return two_heads_trainee(context.fabric, context.segmenter, self.optimiser)

    def at_labels(self, logits: TwoLogits, batch: Batch) -> Both:
        """The logits of both heads at the labels' size, ``B x C x H x W``."""
        return upsampled(logits, batch.masks.shape[-2:])

    def at_discriminators(self, logits: TwoLogits, batch: Batch, at_labels: Both | None = None) -> Both:
        """Log-probabilities of both heads at the size the discriminators see: the image's, or the main head's logits'.

        The auxiliary head's logits may be smaller than the main one's, and smaller than an image discriminator takes
        (stride 16 in ``mobile_deeplab``), so they are brought to the main one's size there too.
        ``at_labels`` are those of ``at_labels``, where the caller has them already.
        """
        if self.heads.discriminators_at == "image":
            main, auxiliary = at_labels or self.at_labels(logits, batch)
        else:
            main, auxiliary = upsampled(logits, logits.main.shape[-2:])
        return main.log_softmax(1), auxiliary.log_softmax(1)

    def from_labels(self, scores: Both, labels: Tensor) -> Both:
        """The segmentation loss of each head, from its logits at the labels' size."""
        main, auxiliary = scores
        return self.segmentation(main, labels), self.segmentation(auxiliary, labels)


def upsampled(logits: TwoLogits, size: torch.Size) -> Both:
    """The logits of both heads at ``H x W``, float32."""
    return upsample(logits.main, size), upsample(logits.auxiliary, size)


def weighted(weights: tuple[float, float], losses: Both) -> Tensor:
    """The sum over both heads."""
    return weights[0] * losses[0] + weights[1] * losses[1]


def detached(maps: Both) -> Both:
    """The same without their graphs."""
    return maps[0].detach(), maps[1].detach()


def named(name: str, losses: Both) -> Losses:
    """What the log shows of a loss of both heads."""
    return {f"{head}{name}": loss.detach() for head, loss in zip(HEADS, losses, strict=True)}
