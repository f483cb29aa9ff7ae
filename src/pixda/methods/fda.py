"""FDA: Yang & Soatto, *FDA: Fourier Domain Adaptation for Semantic Segmentation*, CVPR 2020, on the shots."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pixda.errors import UserError
from pixda.methods.method import Method
from pixda.phases.settings import SegmentationLoss, SegmenterOptimiser

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class FDA(Method):
    """Pretrain on the source, then learn from it in the target's style, and from pseudo-labels; shots unlabelled.

    A baseline of PixDA's comparison, with FDA's published hyper-parameters. The released recipe takes 100 000 steps
    in each of its three rounds; here all rounds share ``steps``, and the decay is shortened alike.
    """

    title = "FDA"

    batch: int = 1
    """Images a step, of all processes together: of the source, and as many of the target."""
    segmenter: SegmenterOptimiser = field(default_factory=lambda: SegmenterOptimiser(horizon=50000))
    """How the segmenters learn; every round begins its decay anew."""
    loss: SegmentationLoss = field(default_factory=lambda: SegmentationLoss(kind="cross_entropy"))
    """The loss from labels."""
    steps: int = 100000
    """Optimiser steps after pretraining of each network, divided evenly over all rounds."""
    bands: tuple[float, ...] = (0.01, 0.05, 0.09)
    """Shares of the frequencies whose amplitudes the source takes from the target, a network for each."""
    rounds: int = 2
    """Rounds of self-training after the first; 0 leaves pseudo-labels out."""
    entropy_weight: float = 0.005
    """lambda_ent of the robust entropy on target images."""
    eta: float = 2.0
    """Exponent of the robust entropy."""
    target_labels: bool = False
    """Learn from the shots' labels, too. FDA does not, and neither does PixDA's comparison: another row of a table."""

    def learns_from_unlabelled(self) -> bool:
        """True: they are target images as the shots are."""
        return True

    def check(self, unlabelled: bool) -> None:
        """Raise UserError for rounds without anything to learn from, and for missing bands or steps."""
        if not self.bands or self.rounds < 0 or self.steps <= self.rounds:
            raise UserError(
                f"FDA needs a band or more, no negative number of rounds and a step for each, not bands {self.bands}, "
                f"rounds {self.rounds} and steps {self.steps}: correct --recipe.bands, --recipe.rounds or "
                "--recipe.steps."
            )
        if self.target_labels and self.rounds and not unlabelled:
            raise UserError(
                "With the shots' labels and no unlabelled images there is nothing to make pseudo-labels for: set "
                "--recipe.rounds 0, add --unlabelled, or set --recipe.target_labels false."
            )

    def phases(self) -> "list[Phase]":
        """Pretraining, a first round, and rounds of self-training."""
        from pixda.phases.fourier import Fourier

        rounds: list[Fourier] = []
        for number in range(self.rounds + 1):
            behind, done = (self.steps * part // (self.rounds + 1) for part in (number, number + 1))
            rounds.append(
                Fourier(
                    name=f"self-train-{number}" if number else "transfer",
                    bands=self.bands,
                    entropy_weight=self.entropy_weight,
                    eta=self.eta,
                    target_labels=self.target_labels,
                    after=rounds[-1] if rounds else None,
                    **self.shared(done - behind),
                )
            )
        return [self.pretrain(), *rounds]
