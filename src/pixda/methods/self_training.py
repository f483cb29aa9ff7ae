"""Self-training with a mean teacher: source, shots and unlabelled real frames together."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pixda.errors import UserError
from pixda.methods.method import Method
from pixda.phases.settings import Teaching

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class SelfTraining(Method):
    """Pretrain on the source, train on both domains, then learn from unlabelled frames by a teacher's labels, too."""

    title = "self-training"

    labelled_steps: int = 15000
    """Optimiser steps on source and shots, before the first pseudo-label."""
    teaching_steps: int = 15000
    """Optimiser steps with pseudo-labels."""
    style_beta: float = 0.0
    """Fourier style transfer from target to source in joint training; 0 leaves it out."""
    teaching: Teaching = field(default_factory=Teaching)
    """The teacher, and what the network is shown with its labels."""

    def learns_from_unlabelled(self) -> bool:
        """True: the method exists for them."""
        return True

    def check(self, unlabelled: bool) -> None:
        """Refuse a run without unlabelled frames."""
        if not unlabelled:
            raise UserError(
                "self_training learns from real frames without labels, and this run has none: add --unlabelled "
                "(a folder of images is enough), or choose --method joint."
            )

    def phases(self) -> "list[Phase]":
        """Pretraining, both domains, then the teacher's labels."""
        from pixda.phases.self_training import MeanTeacher
        from pixda.phases.supervised import Supervised

        return [
            self.pretrain(),
            Supervised(name="joint", on="both", style_beta=self.style_beta, **self.shared(self.labelled_steps)),
            MeanTeacher(name="self-train", teaching=self.teaching, **self.shared(self.teaching_steps)),
        ]
