"""The contract of a phase: what is optimised, on which batches, by which losses."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lightning_fabric import Fabric
from torch import Tensor, nn

from pixda.data.domains import Domains, Pair
from pixda.losses.segmentation import averaged, class_weights, cross_entropy, focal, focused
from pixda.machine import distributed
from pixda.models.segmenter import Segmenter
from pixda.phases.settings import SegmentationLoss, SegmenterOptimiser
from pixda.phases.trainee import Trainee, segmenter_trainee
from pixda.selection import Selected

Losses = dict[str, Tensor]
"""Name -> detached scalar on the device; read by the loop only when it logs."""


class Journal(Protocol):
    """Whom a phase tells what a user should see."""

    def selected(self, result: Selected) -> None:
        """Sample selection has thinned the source out."""

    def scoring(self, done: int, total: int) -> None:
        """Sample selection has scored ``done`` of ``total`` source images."""

    def dropped(self, source: str) -> None:
        """One of several sources has too few images left for its share of a batch."""

    def labelled(self, images: int, share: float) -> None:
        """So many target images have pseudo-labels, on this share (0..1) of their pixels."""

    def labelling(self, done: int, total: int) -> None:
        """Pseudo-labels are being made: ``done`` of ``total`` looks at a target image."""


@dataclass
class Workplace:
    """What every phase is given.

    Attributes:
        fabric: device, precision, processes.
        domains: the streams of batches.
        segmenter: the network being made; every phase leaves it better or done, or puts another in its place when
            it prepares.
        journal: whom to tell.
    """

    fabric: Fabric
    domains: Domains
    segmenter: Segmenter
    journal: Journal


class Phase(ABC):
    """One stretch of training.

    The loop calls :meth:`prepare` once, then for epoch 0, 1, … takes each pair of :meth:`batches` to
    :meth:`step`, until ``steps`` steps are done or an epoch has no batch. Everything a resumed run needs
    beyond its trainees is in :meth:`state_dict`.

    Args:
        name: shown to the user, and part of what decides the order of the data.
        steps: optimiser steps of the segmenter, at most.
        batch: images a step of each domain, of all processes together.
        optimiser: how the segmenter learns.
        loss: the segmentation loss.
    """

    continues = False
    """Whether the segmenter's optimiser and its decay go on from the phase before."""

    about: str = ""
    """What the phase does, in a sentence for who reads its curves."""
    discriminators: tuple[str, ...] = ()
    """What learns beside the segmenter: the names of its trainees, with which those of its losses begin."""

    segmenter: Trainee[Any]
    """The segmenter as it learns; a phase narrows the type to what its network puts out."""

    def __init__(
        self, name: str, steps: int, batch: int, optimiser: SegmenterOptimiser, loss: SegmentationLoss
    ) -> None:
        self.name = name
        self.steps = steps
        self.batch = batch
        self.optimiser = optimiser
        self.loss = loss

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:  # noqa: B027 (most phases take any)
        """Raise UserError if training images of this size (width, height) do not suit the phase."""

    def prepare(self, place: Workplace, carried: Trainee[Any] | None) -> None:
        """Build what is trained.

        Args:
            place: fabric, streams, segmenter, journal.
            carried: the segmenter as the phase before trained it; None at the start of a run and of a resumed one.
        """
        self.place = place
        if self.continues and carried is not None:
            self.segmenter = carried
        else:
            self.segmenter = self.learner(place)
        place.segmenter.train()
        classes = len(place.segmenter.classes.names)
        self._alpha = class_weights(classes, self.loss.alpha, self.loss.alpha_exceptions, place.fabric.device)

    def learner(self, place: Workplace) -> Trainee[Any]:
        """The segmenter with a new optimiser; with whatever else learns by it, where a phase adds such."""
        return segmenter_trainee(place.fabric, place.segmenter, self.optimiser)

    def trainees(self) -> dict[str, Trainee[Any]]:
        """Everything that learns in this phase, by name; always with the segmenter."""
        return {"segmenter": self.segmenter}

    @abstractmethod
    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """The pairs of one epoch from number ``skip`` on; nothing once the phase has run out of data."""

    @abstractmethod
    def step(self, pair: Pair) -> Losses:
        """Learn from one pair, whose images the phase may overwrite."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive beside the trainees."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (most phases keep nothing)
        """Take back what :meth:`state_dict` gave."""

    def opponent(self) -> nn.Module | None:
        """The critic that the segmenter had to fool, which a run keeps for its report; None where there is none."""
        return None

    def segmentation(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The segmentation loss, eq. 1 or cross entropy, of logits ``B x C x H x W`` at the labels' size.

        Its mean over all processes is that of the whole batch.
        """
        if self.loss.kind == "focal":
            loss = focal(scores, labels, self.loss.gamma, self._alpha, self.loss.log_epsilon)
        else:
            loss = cross_entropy(scores, labels)
        return loss * self.share(labels)

    def segmentation_from(self, surprises: Tensor, labels: Tensor) -> Tensor:
        """The same from each pixel's ``-log p_i[y_i]``, where a phase has use for it beside the loss."""
        if self.loss.kind == "focal":
            loss = focused(surprises, labels, self.loss.gamma, self._alpha, self.loss.log_epsilon)
        else:
            loss = averaged(surprises, labels)
        return loss * self.share(labels)

    def share(self, labels: Tensor) -> Tensor | float:
        """By how much a mean over this process's labelled pixels counts among all processes; 1 where it is alone."""
        return distributed.share(self.place.fabric, labels)
