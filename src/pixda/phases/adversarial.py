"""PixDA's middle phase: align the domains pixel by pixel while the source is thinned out."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Pair
from pixda.errors import UserError
from pixda.losses.adversarial import critic_loss, difficulty, fool_loss, pixadv_loss, rarity
from pixda.models.critics import SMALLEST, ImageCritic, PixelCritic
from pixda.models.segmenter import Segmenter
from pixda.phases import settings
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee, critic_trainee
from pixda.selection import score, select, threshold
from pixda.style import stylise


class Adversarial(Phase):
    """``L_seg(source) + L_seg(target) + lambda L_PixAdv(target)`` for the segmenter, eq. 2 and 7 for the critics.

    After each pass over the source the image critic decides which source images stay (eq. 8); the phase ends
    when fewer than one batch is kept.
    """

    def __init__(
        self,
        name: str,
        steps: int,
        batch: int,
        optimiser: settings.SegmenterOptimiser,
        loss: settings.SegmentationLoss,
        critics: settings.CriticOptimiser,
        alignment: settings.Alignment,
        selection: settings.Selection,
        style_beta: float,
    ) -> None:
        super().__init__(name, steps, batch, optimiser, loss)
        self.critics = critics
        self.alignment = alignment
        self.selection = selection
        self.style_beta = style_beta

    @torch.no_grad()
    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for an image critic."""
        if not self.selection.enabled and self.alignment.critic != "image":
            return
        width, height = size
        if self.alignment.critics_at == "logits":
            height, width = segmenter.eval()(torch.zeros(1, 3, height, width)).shape[-2:]
        if min(width, height) < SMALLEST:
            raise UserError(
                f"The image critic needs maps of {SMALLEST} x {SMALLEST} pixels or more and would "
                f"get {width} x {height}: train on larger images (--recipe.crop, --size), or set "
                "--recipe.alignment.critics_at image."
            )

    # ---- what is trained

    def prepare(self, place: Workplace, carried: Trainee | None) -> None:
        """The segmenter, the critic it must fool, and the image critic that judges whole source images."""
        super().prepare(place, carried)
        classes = len(place.segmenter.classes.names)
        self.aligner: Trainee | None = None
        if self.alignment.critic != "none":
            network = PixelCritic(classes) if self.alignment.critic == "pixel" else ImageCritic(classes)
            self.aligner = critic_trainee(place.fabric, network, self.critics, self.optimiser)
        self.judge: Trainee | None = None
        if self.selection.enabled:
            self.judge = critic_trainee(place.fabric, ImageCritic(classes), self.critics, self.optimiser)
        self.kept = place.domains.source_names
        self.selected_for = 0  # the epoch that `kept` belongs to

    def trainees(self) -> dict[str, Trainee]:
        """The segmenter and the critics in use."""
        critics = {"aligner": self.aligner, "judge": self.judge}
        return super().trainees() | {name: trainee for name, trainee in critics.items() if trainee is not None}

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """One pass over the source images that are kept, each batch beside a batch of shots."""
        if self.judge is not None and epoch > self.selected_for:
            self._select(self.judge, epoch)
        return self.place.domains.pairs(self.kept, self.batch, self.name, epoch, skip)

    @torch.no_grad()
    def _select(self, judge: Trainee, epoch: int) -> None:
        """Eq. 8 on the images kept so far, whole, each in the style of a target image drawn at random."""
        segmenter, done = self.place.segmenter.eval(), 0

        def scored() -> Iterator[tuple[list[str], Tensor]]:
            nonlocal done
            for source, target in self.place.domains.whole_pairs(self.kept, self.batch, self.name, epoch):
                styled = stylise(source.images, target.images, self.style_beta)
                with self.place.fabric.autocast():
                    logits = segmenter(styled)
                yield source.names, score(judge.frozen(self._map(logits, source.masks)))
                done += len(source.names)
                self.place.journal.scoring(done, len(self.kept))

        delta = threshold(self.selection.delta, self.selection.growth, epoch)
        result = select(epoch, delta, scored())
        segmenter.train()
        self.kept, self.selected_for = result.kept, epoch
        self.place.journal.selected(result)

    # ---- by which losses

    def step(self, pair: Pair) -> Losses:
        """One step of the segmenter and one of each critic."""
        source, target = pair.labelled_source(), pair.labelled_target()
        styled = stylise(source.images, target.images, self.style_beta)

        logits = self.segmenter(styled)
        log_probs = self.log_probs(logits, source.masks)
        on_source = self.segmentation(log_probs, source.masks)
        source_map = self._map(logits, source.masks, log_probs).detach()
        self.segmenter.accumulate(on_source)

        logits = self.segmenter(target.images)
        log_probs = self.log_probs(logits, target.masks)
        on_target = self.segmentation(log_probs, target.masks)
        target_map = self._map(logits, target.masks, log_probs)
        losses = {"source": on_source.detach(), "target": on_target.detach()}
        if self.aligner is None:
            self.segmenter.descend(on_target)
        else:
            fooled = self.aligner.frozen(target_map)
            if self.alignment.critic == "pixel":
                weights = self._weights(log_probs, target.masks)
                adversarial = pixadv_loss(fooled, weights)
                losses["pixel_weight"] = weights.detach().mean()
            else:
                adversarial = fool_loss(fooled)
            self.segmenter.descend(on_target + self.alignment.weight * adversarial)
            losses["adversarial"] = adversarial.detach()

        target_map = target_map.detach()
        for name, critic in (("aligner", self.aligner), ("judge", self.judge)):
            if critic is None:
                continue
            # One batch for both domains: the critics have no statistics that could mix, and processes stay in step.
            on_both = critic(torch.cat([source_map, target_map]))
            of_source, of_target = on_both.float().chunk(2)
            loss = critic_loss(of_source, of_target)
            critic.descend(loss)
            losses[name] = loss.detach()
            losses[f"{name}_accuracy"] = ((of_source < 0).float().mean() + (of_target > 0).float().mean()).detach() / 2
        return losses

    def _map(self, logits: Tensor, labels: Tensor, log_probs: Tensor | None = None) -> Tensor:
        """What the critics see: the softmax map at the labels' size (paper), or at the logits' own.

        ``log_probs`` are those at the labels' size, where the caller has them already.
        """
        if self.alignment.critics_at == "logits":
            return logits.float().softmax(1)
        return (self.log_probs(logits, labels) if log_probs is None else log_probs).exp()

    def _weights(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """S B, eq. 4 and 5, or what an ablation leaves of it: ``B x H x W``."""
        weights = torch.ones_like(labels, dtype=log_probs.dtype)
        if self.alignment.rarity:
            weights = weights * rarity(labels)
        if self.alignment.difficulty:
            s = difficulty(log_probs, labels)
            weights = weights * (s if self.alignment.difficulty_in_graph else s.detach())
        return weights

    # ---- what must survive

    def state_dict(self) -> dict[str, Any]:
        """The source images still in use, and the epoch they were selected for."""
        return {"kept": self.kept, "selected_for": self.selected_for}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self.kept, self.selected_for = state["kept"], state["selected_for"]
