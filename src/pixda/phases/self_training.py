"""Self-training: a teacher labels real frames that have no labels, and the network learns from them beside the rest."""

import copy
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixda.data.augmentation import jitter_colours
from pixda.data.classes import IGNORE
from pixda.data.domains import Batch, StepBatch
from pixda.machine import distributed
from pixda.mixing import class_mix, class_thresholds, hide_blocks
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase
from pixda.phases.settings import Teaching
from pixda.phases.trainee import Trainee

GREY = torch.full((3,), 127.0)


@dataclass(kw_only=True, eq=False)
class MeanTeacher(Phase):
    """``L_seg(source) + L_seg(shots) + weight (L_seg(mixed) + L_seg(masked))``, the last two from a teacher's labels.

    The teacher begins as the segmenter stands when the phase begins (already trained on both domains) and follows it:
    ``teacher <- momentum teacher + (1 - momentum) segmenter`` after every step (Tarvainen & Valpola, *Mean teachers*,
    NeurIPS 2017). Of each unlabelled image it gives the likeliest class of every pixel that reaches its class's
    threshold; the other pixels are ignored. The segmenter learns these labels on

    - *mixed* images: half of the classes of a source image and of a shot, by turns, pasted onto the unlabelled one with
      their true labels (ClassMix across domains, DACS), in changed colours;
    - *masked* images: the unlabelled one with most of its blocks hidden (MIC), so that it learns from context.

    Departures: DACS and MIC weigh all pixels of an image by the share that is above one threshold; here pixels below
    their class's threshold are ignored. Both use pseudo-labels from the first step; here after joint training.
    """

    about = "The network also learns labels that a slow copy of it, the teacher, gives to frames without any."

    teaching: Teaching

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """Copy the segmenter as the teacher."""
        super().prepare(context, carried)
        self.teacher = copy.deepcopy(context.segmenter).eval().requires_grad_(False)
        self.classes = len(context.segmenter.classes.names)
        self.confidence = torch.zeros(self.classes, device=context.fabric.device)
        """Running mean of the teacher's confidence where it says the class, 0..1; 0 for a class not seen yet."""

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source, each batch beside one of shots and one of unlabelled images."""
        domains = self.context.domains
        return domains.source_and_target(domains.source_names, self.batch, self.name, epoch, skip)

    def step(self, batch: StepBatch) -> Losses:
        """Source, shots, mixed images, masked images; one optimiser step; the teacher follows."""
        source, shots, unlabelled = batch.labelled_source(), batch.labelled_target(), batch.unlabelled_target()
        generators = self._generators(len(unlabelled.images))
        taught = unlabelled._replace(masks=self._teach(unlabelled.images))

        learned = {"source": source, "target": shots, "mixed": self._mixed(source, shots, taught, generators)}
        if self.teaching.hidden > 0:
            hidden = hide_blocks(taught.images, self.teaching.hidden, self.teaching.block, GREY, generators)
            learned["masked"] = taught._replace(images=hidden)
        losses: Losses = {}
        for kind, side in learned.items():
            logits = self.segmenter(side.images, more=kind != list(learned)[-1])
            loss = self.segmentation(upsample(logits, side.masks.shape[-2:]), side.masks)
            self.segmenter.backward(loss if kind in ("source", "target") else self.teaching.weight * loss)
            losses[kind] = loss.detach()
        self.segmenter.step()
        self._follow()
        return losses

    @torch.no_grad()
    def _teach(self, images: Tensor) -> Tensor:
        """The teacher's labels of these images, int64 ``B x H x W``; 255 where it is not sure enough for the class."""
        with self.context.fabric.autocast():
            logits = self.teacher(images)
        sure, labels = upsample(logits.float(), images.shape[-2:]).softmax(1).max(1)
        seen = torch.zeros(2, self.classes, device=sure.device)
        seen[0].scatter_add_(0, labels.flatten(), torch.ones_like(sure).flatten())
        seen[1].scatter_add_(0, labels.flatten(), sure.flatten())
        pixels, total = distributed.total(self.context.fabric, seen)
        now = torch.where(pixels > 0, total / pixels.clamp_min(1), self.confidence)
        self.confidence = torch.where(self.confidence > 0, 0.9 * self.confidence + 0.1 * now, now)
        limits = class_thresholds(self.confidence, self.teaching.threshold)
        return torch.where(sure >= limits[labels], labels, IGNORE)

    def _mixed(self, source: Batch, shots: Batch, taught: Batch, generators: list[torch.Generator]) -> Batch:
        """Source images and shots by turns, half of their classes pasted onto the unlabelled images."""
        if self.teaching.class_mix:
            turn = (self._numbers(len(taught.images)).to(taught.images.device) + self.segmenter.steps) % 2 == 0
            front = torch.where(turn.view(-1, 1, 1, 1), source.images, shots.images)
            front_labels = torch.where(turn.view(-1, 1, 1), source.masks, shots.masks)
            images, labels = class_mix(front, front_labels, taught.images, taught.masks, self.classes, generators)
        else:
            images, labels = taught.images, taught.masks
        if self.teaching.colour > 0:
            strength = self.teaching.colour
            changed = [
                jitter_colours(one[None] / 255, strength, generator)
                for one, generator in zip(images, generators, strict=True)
            ]
            images = torch.cat(changed).clamp(0, 1) * 255
        return taught._replace(images=images, masks=labels)

    @torch.no_grad()
    def _follow(self) -> None:
        """The teacher moves towards the segmenter; statistics of batch norms are taken over as they are."""
        if self.segmenter.skipped:
            return
        for mine, theirs in zip(self.teacher.parameters(), self.context.segmenter.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.teaching.momentum)
        for kept, taken in zip(self.teacher.buffers(), self.context.segmenter.buffers(), strict=True):
            kept.copy_(taken)

    def _numbers(self, images: int) -> Tensor:
        """Indices of this rank's images in the whole batch."""
        return self.context.fabric.global_rank + torch.arange(images) * self.context.fabric.world_size

    def _generators(self, images: int) -> list[torch.Generator]:
        """One for each image; what they decide is a pure function of (seed, phase, step, place in the whole batch)."""
        where = f"{self.context.domains.seed} {self.name} {self.segmenter.steps}"
        numbers = self._numbers(images).tolist()
        return [torch.Generator().manual_seed(zlib.crc32(f"{where} {number}".encode())) for number in numbers]

    def state_dict(self) -> dict[str, Any]:
        """The teacher, and how sure it has been of each class."""
        return {"teacher": self.teacher.state_dict(), "confidence": self.confidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore both."""
        self.teacher.load_state_dict(state["teacher"])
        self.confidence = state["confidence"].to(self.confidence)
