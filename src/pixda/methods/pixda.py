"""PixDA: Tavera et al., *Pixel-by-Pixel Cross-Domain Alignment for Few-Shot Semantic Segmentation*, WACV 2022."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pixda.methods.method import Method
from pixda.phases.settings import Alignment, DiscriminatorOptimiser, DistillationSettings, Selection

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class PixDA(Method):
    """Pretrain on the source, align pixel by pixel while thinning the source out, fine-tune with distillation.

    Without target labels (``target_labels``) the fine-tuning is left out, whatever its number of steps: it needs them.
    """

    title = "PixDA"

    adaptation_steps: int = 30000
    """Optimiser steps of adaptation, at most; it ends earlier when selection keeps less than one batch."""
    style_beta: float = 0.01
    """Share of the frequencies whose amplitudes the source takes from the target."""
    alignment: Alignment = field(default_factory=Alignment)
    """What the segmenter must fool, and which pixels count."""
    selection: Selection = field(default_factory=Selection)
    """Which source images stay."""
    discriminators: DiscriminatorOptimiser = field(default_factory=DiscriminatorOptimiser)
    """How the discriminators learn."""
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    """The last fine-tuning."""
    target_labels: bool = True
    """false: the labels of the shots are never read, nor is there a fine-tuning (UDA; our reconstruction)."""

    def learns_from_unlabelled(self) -> bool:
        """True if there is a discriminator to align them with."""
        return self.alignment.discriminator != "none"

    def reads_target_labels(self) -> bool:
        """As ``target_labels`` says."""
        return self.target_labels

    def phases(self) -> "list[Phase]":
        """The method as the paper tells it."""
        from pixda.phases.adversarial import Adversarial
        from pixda.phases.distillation import Distillation

        tuning_steps = self.distillation.steps if self.target_labels else 0
        # The fine-tuning goes on with the optimiser of the adaptation.
        optimiser = self.optimiser_for(self.adaptation_steps + tuning_steps)
        adapt = Adversarial(
            name="adapt",
            alignment=self.alignment,
            selection=self.selection,
            style_beta=self.style_beta,
            target_labels=self.target_labels,
            discriminator_optimiser=self.discriminators,
            **self.shared(self.adaptation_steps, optimiser),
        )
        tune = Distillation(name="distil", distillation=self.distillation, **self.shared(tuning_steps, optimiser))
        return [self.pretrain(), adapt, tune] if tuning_steps else [self.pretrain(), adapt]
