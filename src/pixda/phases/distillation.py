"""The last phase: fine-tune on the shots with distillation from the network as it was before."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from pixda.data.domains import StepBatch
from pixda.losses.distillation import distillation_loss
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase
from pixda.phases.settings import DistillationSettings
from pixda.phases.trainee import Trainee


@dataclass(kw_only=True, eq=False)
class Distillation(Phase):
    """``L_seg(target) + lambda_kd L_kd`` (eq. 9), the teacher a frozen copy of the segmenter in eval mode.

    The segmenter's optimiser and its decay go on from the phase before, where there is one. Departure: the
    released code takes its teacher in train mode, so that its batch statistics drift.
    """

    about = "The last fine-tuning on the real frames, held near the network as it stood before."
    continues = True

    distillation: DistillationSettings

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """Copy the segmenter as the teacher."""
        super().prepare(context, carried)
        self.teacher = copy.deepcopy(context.segmenter).eval().requires_grad_(False)

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """Target batches, raw: no style transfer here."""
        return self.context.domains.target_only(self.steps, self.batch, self.name, epoch, skip)

    def step(self, batch: StepBatch) -> Losses:
        """One step of eq. 9."""
        target = batch.labelled_target()
        with torch.no_grad(), self.context.fabric.autocast():
            teacher_logits = upsample(self.teacher(target.images), target.masks.shape[-2:])

        scores = upsample(self.segmenter(target.images), target.masks.shape[-2:])
        segmentation = self.segmentation(scores, target.masks)
        kd = distillation_loss(scores, teacher_logits, self.distillation.temperature, self.distillation.over_classes)
        self.segmenter.backward(segmentation + self.distillation.weight * kd)
        self.segmenter.step()
        return {"target": segmentation.detach(), "distillation": kd.detach()}

    def state_dict(self) -> dict[str, Any]:
        """The teacher: it cannot be made again from the student."""
        return {"teacher": self.teacher.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the teacher."""
        self.teacher.load_state_dict(state["teacher"])
