"""AdaptSegNet: Tsai et al., *Learning to Adapt Structured Output Space for Semantic Segmentation*, CVPR 2018."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pixda.methods.method import Method
from pixda.phases.settings import DiscriminatorOptimiser, Heads, SegmentationLoss, SegmenterOptimiser

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class AdaptSegNet(Method):
    """Pretrain on the source, then align the softmax maps of two heads, image-wise.

    The defaults are those of the released code, with two heads ("multi-level").
    """

    title = "AdaptSegNet"

    maps: ClassVar[Literal["softmax", "self_information"]] = "softmax"
    """What the discriminators see."""

    batch: int = 1
    """Images a step, of all processes together: of the source, and as many of the target where both are used."""
    segmenter: SegmenterOptimiser = field(default_factory=lambda: SegmenterOptimiser(horizon=250_000))
    """How the segmenter learns."""
    loss: SegmentationLoss = field(default_factory=lambda: SegmentationLoss(kind="cross_entropy"))
    """The loss from labels."""
    steps: int = 150_000
    """Optimiser steps after pretraining."""
    target_labels: bool = True
    """Learn from the shots' labels too (few-shot), or from their images only (the original, unsupervised form)."""
    heads: Heads = field(default_factory=Heads)
    """The weights of both heads' losses."""
    discriminators: DiscriminatorOptimiser = field(default_factory=lambda: DiscriminatorOptimiser(lr=1e-4))
    """How the discriminators learn."""

    def learns_from_unlabelled(self) -> bool:
        """True: they are aligned as the shots are."""
        return True

    def phases(self) -> "list[Phase]":
        """Pretraining, then alignment."""
        from pixda.phases.image_adversarial import ImageAdversarial

        align = ImageAdversarial(
            name="align",
            heads=self.heads,
            maps=self.maps,
            target_labels=self.target_labels,
            discriminator_optimiser=self.discriminators,
            **self.shared(self.steps),
        )
        return [self.pretrain(), align]
