"""Fine-tuning: pretrain on the source, then learn from the few real frames alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pixda.methods.method import Method

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class FineTuning(Method):
    """Pretrain on the source, then train on the shots."""

    title = "fine-tuning"

    tuning_steps: int = 30000
    """Optimiser steps on the shots (paper: 30 000)."""

    def phases(self) -> "list[Phase]":
        """Pretraining, then the target alone."""
        from pixda.phases.supervised import Supervised

        return [self.pretrain(), Supervised(name="fine-tune", on="target", **self.shared(self.tuning_steps))]
