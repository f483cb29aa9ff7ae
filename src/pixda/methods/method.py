"""Base of all methods: a method holds hyper-parameters and builds a list of phases."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, TypedDict

from pixda.data.config import Augmentation
from pixda.errors import UserError
from pixda.phases.settings import SegmentationLoss, SegmenterOptimiser

if TYPE_CHECKING:  # torch is imported when phases are made, not when `pixda --help` reads the fields
    from pixda.phases.phase import Phase


class Shared(TypedDict):
    """The fields that all phases of a method share."""

    steps: int
    batch: int
    optimiser: SegmenterOptimiser
    loss: SegmentationLoss


@dataclass(frozen=True)
class Method(ABC):
    """The hyper-parameters that all methods share; the defaults are the paper's."""

    title: ClassVar[str]
    """What people call it."""
    learns_from_shots: ClassVar[bool] = True
    """Whether the few labelled target frames, or at least their images, take part in any phase."""

    batch: int = 4
    """Images a step, of all processes together: of the source, and as many of the target where both are used."""
    crop: tuple[int, int] | None = None
    """(width, height) of random training crops; null trains on whole images, as the paper does."""
    flip: bool = False
    """Mirror half of the training images; the paper does not."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random scale, colour, blur and noise; the paper has none."""
    pretrain_steps: int = 30000
    """Optimiser steps on the source alone, before anything else. The paper does not give its number."""
    segmenter: SegmenterOptimiser = field(default_factory=SegmenterOptimiser)
    """How the segmenter learns."""
    loss: SegmentationLoss = field(default_factory=SegmentationLoss)
    """The loss from labels."""

    @abstractmethod
    def phases(self) -> "list[Phase]":
        """The phases in order; the first is always ``pretrain``, on the source."""

    def learns_from_unlabelled(self) -> bool:
        """Whether target images without labels take part in any phase."""
        return False

    def reads_target_labels(self) -> bool:
        """Whether the labels of the shots take part in any phase; if not, they are never read."""
        return True

    def check(self, unlabelled: bool) -> None:  # noqa: B027 (most methods take any)
        """Raise UserError if the settings do not suit a run with, or without, ``unlabelled`` images."""

    def pretrain(self) -> "Phase":
        """Supervised learning on the source alone."""
        from pixda.phases.supervised import Supervised

        return Supervised(name="pretrain", on="source", **self.shared(self.pretrain_steps))

    def shared(self, steps: int, optimiser: SegmenterOptimiser | None = None) -> "Shared":
        """The shared fields for a phase of this many steps; without a horizon the decay ends with them."""
        return {
            "steps": steps,
            "batch": self.batch,
            "optimiser": optimiser or self.optimiser_for(steps),
            "loss": self.loss,
        }

    def optimiser_for(self, steps: int) -> SegmenterOptimiser:
        """The segmenter's optimiser for phases of this many steps: a horizon of null becomes their number."""
        if self.segmenter.updates == "as_released" and self.segmenter.kind != "sgd":
            raise UserError(
                "--recipe.segmenter.updates as_released is how the released SGD works: --recipe.segmenter.kind sgd, "
                "or updates once."
            )
        return replace(self.segmenter, horizon=self.segmenter.horizon or steps)
