"""Balanced joint training: as many real as synthetic images in every step. The control to beat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pixda.methods.method import Method

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class Joint(Method):
    """Pretrain on the source, then train on both domains in balanced batches.

    The paper's joint training concatenates the sets instead, so that 18 of 22 079 images are real.
    """

    joint_steps: int = 30000
    """Optimiser steps on both domains."""
    style_beta: float = 0.0
    """Fourier style transfer from target to source; 0 leaves it out, PixDA uses 0.01."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then both domains."""
        from pixda.phases.supervised import Supervised

        steps = self.joint_steps
        optimiser = self.optimiser_for(steps)
        joint = Supervised("joint", "both", steps, self.batch, optimiser, self.loss, self.style_beta)
        return [self.pretrain(), joint]
