"""NAAE-style: after Sun et al., *Not All Areas Are Equal*, CVPR 2019. Our reconstruction of it."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pixda.methods.method import Method
from pixda.phases.settings import CriticOptimiser, SegmentationLoss, Weighting

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
    weighting: Weighting = field(default_factory=Weighting)
    """How much a synthetic pixel counts."""
    nets: CriticOptimiser = field(default_factory=lambda: CriticOptimiser(lr=1e-4))
    """How the weighting networks and the adversarial critic learn."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then both domains with weights."""
        from pixda.phases import weighting

        # PixDA's horizon, which all methods share, is shorter than this phase: beyond it nothing would move.
        optimiser = replace(self.segmenter, horizon=max(self.segmenter.horizon or 0, self.steps))
        weigh = weighting.Weighting("weigh", self.steps, self.batch, optimiser, self.weighting, self.nets)
        return [self.pretrain(), weigh]
