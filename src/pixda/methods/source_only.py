"""Source only: the synthetic images alone. The control that says what the real frames are worth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pixda.methods.method import Method

if TYPE_CHECKING:
    from pixda.phases.phase import Phase


@dataclass(frozen=True)
class SourceOnly(Method):
    """Train on the labelled source."""

    title = "source only"

    learns_from_shots: ClassVar[bool] = False

    more_steps: int = 0
    """Steps on the source after pretraining: the step-matched control of the methods that go on from there."""

    def phases(self) -> "list[Phase]":
        """Pretraining, and as many more steps as another method would take."""
        from pixda.phases.supervised import Supervised

        goes_on = Supervised(name="go-on", on="source", **self.shared(self.more_steps))
        return [self.pretrain(), goes_on] if self.more_steps else [self.pretrain()]
