"""Joint training on both domains. In balanced batches it is the control to beat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pixda.methods.method import Method

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class Joint(Method):
    """Pretrain on the source, then train on both domains."""

    title = "joint training"

    joint_steps: int = 30000
    """Optimiser steps on both domains."""
    batches: Literal["balanced", "concatenated"] = "balanced"
    """As many real as synthetic images in every step, or the paper's joint training: both sets as one, so that 18
    of 22 079 images are real (for four epochs there: 22 079 steps of 4)."""
    style_beta: float = 0.0
    """Fourier style transfer from target to source; 0 leaves it out, PixDA uses 0.01."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then both domains."""
        from pixda.phases.supervised import Supervised

        on: Literal["both", "concatenation"] = "both" if self.batches == "balanced" else "concatenation"
        joint = Supervised(name="joint", on=on, style_beta=self.style_beta, **self.shared(self.joint_steps))
        return [self.pretrain(), joint]
