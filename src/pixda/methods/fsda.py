"""FSDA: Zhang et al., *Few-Shot Structured Domain Adaptation for Virtual-to-Real Scene Parsing*, ICCVW 2019."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pixda.methods.method import Method
from pixda.phases.settings import DiscriminatorOptimiser, Heads, SegmentationLoss, SegmenterOptimiser

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class Fsda(Method):
    """Pretrain on the source, then learn from both domains' harder pixels while pairs of maps are aligned.

    The defaults are those of the authors' released script for SYNTHIA. Taking that script for the reference is our
    choice: it is the one with two different discriminators, and their ablations derive from it.
    """

    title = "FSDA"

    batch: int = 1
    """Images a step, of all processes together: of the source, and as many of the target where both are used."""
    pretrain_steps: int = 80_000
    """Optimiser steps on the source alone, before anything else: the released script starts from such a model."""
    segmenter: SegmenterOptimiser = field(default_factory=lambda: SegmenterOptimiser(horizon=250_000))
    """How the segmenter learns."""
    loss: SegmentationLoss = field(default_factory=lambda: SegmentationLoss(kind="cross_entropy"))
    """The loss from labels."""
    steps: int = 24_000
    """Optimiser steps after pretraining. No number is published: it is the last snapshot the authors' script scores."""
    confidence: float = 0.95
    """beta: the main head does not learn from pixels of which the auxiliary head is surer than this; 1 keeps all."""
    heads: Heads = field(default_factory=Heads)
    """The weights of both heads' losses."""
    discriminators: DiscriminatorOptimiser = field(default_factory=lambda: DiscriminatorOptimiser(lr=1e-4))
    """How the discriminators learn."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then both domains."""
        from pixda.phases.pairing import Pairing

        pairing = Pairing(
            name="pair",
            heads=self.heads,
            confidence=self.confidence,
            discriminator_optimiser=self.discriminators,
            **self.shared(self.steps),
        )
        return [self.pretrain(), pairing]
