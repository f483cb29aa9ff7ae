"""NAAE-style: after Sun et al., *Not All Areas Are Equal*, CVPR 2019. Our reconstruction of it."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pixda.methods.method import Method
from pixda.phases.settings import DiscriminatorOptimiser, SegmentationLoss, WeightingSettings

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class NAAE(Method):
    """NAAE-style, our reconstruction: pretrain on the source, then on both, synthetic pixels as far as they look real.

    The paper's text and code could not be reached; docs/methods/naae.md says what is known and what is not.
    """

    title = "NAAE-style"

    loss: SegmentationLoss = field(default_factory=SegmentationLoss)
    """The loss of pretraining; the weighted phase takes cross entropy, whatever is set here."""
    steps: int = 100000
    """Optimiser steps after pretraining. If the decay's horizon is shorter, it is stretched to them."""
    weighting: WeightingSettings = field(default_factory=WeightingSettings)
    """How much a synthetic pixel counts."""
    nets: DiscriminatorOptimiser = field(default_factory=lambda: DiscriminatorOptimiser(lr=1e-4))
    """How the weighting networks and the adversarial discriminator learn."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then both domains with weights."""
        from pixda.phases.weighting import Weighting

        # PixDA's horizon, which all methods share, is shorter than this phase: beyond it nothing would move.
        optimiser = replace(self.segmenter, horizon=max(self.segmenter.horizon or 0, self.steps))
        shared = self.shared(self.steps, optimiser) | {"loss": SegmentationLoss(kind="cross_entropy")}
        weigh = Weighting(name="weigh", weighting=self.weighting, discriminator_optimiser=self.nets, **shared)
        return [self.pretrain(), weigh]
