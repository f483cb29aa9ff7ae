"""The contract of a phase: what is optimised, on which batches, by which losses."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixda.data.domains import Domains, StepBatch
from pixda.errors import UserError
from pixda.losses.segmentation import class_weights, cross_entropy, focal, focal_from_nll, mean_over_valid
from pixda.machine import distributed
from pixda.models.discriminators import SMALLEST
from pixda.models.segmenter import Segmenter
from pixda.phases.settings import SegmentationLoss, SegmenterOptimiser
from pixda.phases.trainee import Trainee, segmenter_trainee
from pixda.selection import Selected

Losses = dict[str, Tensor]
"""Name -> detached scalar on the device; read by the loop only when it logs."""


class Reporter(Protocol):
    """Receives progress and results from a phase."""

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
class Context:
    """What every phase is given.

    Attributes:
        fabric: device, precision, processes.
        domains: the streams of batches.
        segmenter: the network being trained; a phase may put another in its place when it prepares.
        reporter: whom to tell.
    """

    fabric: Fabric
    domains: Domains
    segmenter: Segmenter
    reporter: Reporter


@dataclass(kw_only=True, eq=False)
class Phase(ABC):
    """One stretch of training.

    The loop calls ``prepare`` once, then for epoch 0, 1, … takes each batch of ``batches`` to
    ``step``, until ``steps`` steps are done or an epoch has no batch. Everything a resumed run needs
    beyond its trainees is in ``state_dict``.

    Attributes:
        name: shown to the user, and part of what decides the order of the data.
        steps: optimiser steps of the segmenter, at most.
        batch: images a step of each domain, of all processes together.
        optimiser: how the segmenter learns.
        loss: the segmentation loss.
    """

    continues = False
    """Whether the segmenter's optimiser and its decay go on from the phase before."""
    about = ""
    """What the phase does, in one sentence for readers of the report."""
    discriminators: ClassVar[tuple[str, ...]] = ()
    """The names of the trainees beside the segmenter, with which their losses' names begin."""

    name: str
    steps: int
    batch: int
    optimiser: SegmenterOptimiser
    loss: SegmentationLoss

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:  # noqa: B027 (most phases take any)
        """Raise UserError if training images of this size (width, height) do not suit the phase."""

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """Build what is trained.

        Args:
            context: fabric, streams, segmenter, reporter.
            carried: the segmenter as the phase before trained it; None at the start of a run and of a resumed one.
        """
        self.context = context
        if self.continues and carried is not None:
            self.segmenter = carried
        else:
            self.segmenter = self.new_segmenter(context)
        context.segmenter.train()
        classes = len(context.segmenter.classes.names)
        self._alpha = class_weights(classes, self.loss.alpha, self.loss.alpha_exceptions, context.fabric.device)

    def new_segmenter(self, context: Context) -> Trainee[Any]:
        """The segmenter with a new optimiser."""
        return segmenter_trainee(context.fabric, context.segmenter, self.optimiser)

    def trainees(self) -> dict[str, Trainee[Any]]:
        """All networks trained in this phase, by name, always including the segmenter."""
        return {"segmenter": self.segmenter}

    @abstractmethod
    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """The batches of one epoch from number ``skip`` on; nothing once the phase has run out of data."""

    @abstractmethod
    def step(self, batch: StepBatch) -> Losses:
        """Learn from one batch, whose images the phase may overwrite."""

    def state_dict(self) -> dict[str, Any]:
        """State beyond the trainees that a checkpoint must hold."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (most phases keep nothing)
        """Restore what ``state_dict`` returned."""

    def opponent(self) -> nn.Module | None:
        """The discriminator that the segmenter had to fool, kept for the report; None where there is none."""
        return None

    def segmentation(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The segmentation loss, eq. 1 or cross entropy, of logits ``B x C x H x W`` at the labels' size.

        Its mean over all processes is that of the whole batch.
        """
        if self.loss.kind == "focal":
            loss = focal(scores, labels, self.loss.gamma, self._alpha, self.loss.log_epsilon)
        else:
            loss = cross_entropy(scores, labels)
        return loss * self.rank_share(labels)

    def segmentation_from_nll(self, nll: Tensor, labels: Tensor) -> Tensor:
        """The same from each pixel's ``-log p_i[y_i]``, for phases that need it beside the loss."""
        if self.loss.kind == "focal":
            loss = focal_from_nll(nll, labels, self.loss.gamma, self._alpha, self.loss.log_epsilon)
        else:
            loss = mean_over_valid(nll, labels)
        return loss * self.rank_share(labels)

    def rank_share(self, labels: Tensor) -> Tensor | float:
        """The weight of this rank's mean over its labelled pixels; 1 with a single process."""
        return distributed.share(self.context.fabric, labels)


@torch.no_grad()
def check_map_size(
    segmenter: Segmenter, size: tuple[int, int], discriminators_at: Literal["image", "logits"], option: str
) -> None:
    """Refuse training images whose maps are too small for an image discriminator.

    Args:
        segmenter: whose logits are meant.
        size: (width, height) of the training images.
        discriminators_at: whether the discriminators see maps of that size, or of the logits' own.
        option: what a user sets that with, for the text.

    Raises:
        UserError: a side of the maps is too short.
    """
    width, height = size
    if discriminators_at == "logits":
        height, width = segmenter.eval()(torch.zeros(1, 3, height, width)).shape[-2:]
    if min(width, height) < SMALLEST:
        raise UserError(
            f"The image discriminator needs maps of {SMALLEST} x {SMALLEST} pixels or more and would "
            f"get {width} x {height}: train on larger images (--recipe.crop, --size), or set {option} image."
        )
