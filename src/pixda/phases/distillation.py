"""The last phase: fine-tune on the shots, staying near the network as it stood."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Pair
from pixda.losses.distillation import distillation_loss
from pixda.models.upsampling import upsample
from pixda.phases import settings
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee


class Distillation(Phase):
    """``L_seg(target) + lambda_kd L_kd`` (eq. 9), the teacher a frozen copy of the segmenter in eval mode.

    The segmenter's optimiser and its decay go on from the phase before, where there is one. Departure: the
    released code takes its teacher in train mode, so that its batch statistics drift.
    """

    about = "The last fine-tuning on the real frames, held near the network as it stood before."
    continues = True
    segmenter: Trainee[Tensor]

    def __init__(
        self,
        name: str,
        batch: int,
        optimiser: settings.SegmenterOptimiser,
        loss: settings.SegmentationLoss,
        distillation: settings.Distillation,
    ) -> None:
        super().__init__(name, distillation.steps, batch, optimiser, loss)
        self.distillation = distillation

    def prepare(self, place: Workplace, carried: Trainee[Any] | None) -> None:
        """Take the teacher: the segmenter as it stands."""
        super().prepare(place, carried)
        self.teacher = copy.deepcopy(place.segmenter).eval().requires_grad_(False)

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """Target batches, raw: no style transfer here."""
        return self.place.domains.target_only(self.steps, self.batch, self.name, epoch, skip)

    def step(self, pair: Pair) -> Losses:
        """One step of eq. 9."""
        target = pair.labelled_target()
        with torch.no_grad(), self.place.fabric.autocast():
            teacher_logits = upsample(self.teacher(target.images), target.masks.shape[-2:])

        scores = upsample(self.segmenter(target.images), target.masks.shape[-2:])
        segmentation = self.segmentation(scores, target.masks)
        kd = distillation_loss(scores, teacher_logits, self.distillation.temperature, self.distillation.over_classes)
        self.segmenter.descend(segmentation + self.distillation.weight * kd)
        return {"target": segmentation.detach(), "distillation": kd.detach()}

    def state_dict(self) -> dict[str, Any]:
        """The teacher: it cannot be made again from the student."""
        return {"teacher": self.teacher.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the teacher back."""
        self.teacher.load_state_dict(state["teacher"])
