"""PixDA's middle phase: align the domains pixel by pixel while the source is thinned out."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Pair
from pixda.losses.adversarial import critic_loss, difficulty, fool_loss, pixadv_loss, pseudo_labels, rarity
from pixda.models.critics import ImageCritic, PixelCritic
from pixda.models.segmenter import Segmenter
from pixda.phases import settings
from pixda.phases.map_size import check_map_size
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee, critic_trainee
from pixda.selection import score, select, threshold
from pixda.style import stylise


class Adversarial(Phase):
    """``L_seg(source) + L_seg(target) + lambda L_PixAdv(target)`` for the segmenter, eq. 2 and 7 for the critics.

    After each pass over the source the image critic decides which source images stay (eq. 8); the phase ends
    when fewer than one batch is kept.

    Where the run has unlabelled target images, they stand on the target's side as the shots do, but for
    ``L_seg`` and for the style: ``L_PixAdv`` is the mean over the shots and over as many unlabelled images, these
    with pseudo-labels (our reconstruction, see :func:`~pixda.losses.adversarial.pseudo_labels`), and the critics
    take both kinds for target. On them ``S`` is never in the graph, whatever is set for the shots: its gradient
    would only sharpen what the network says already.
    """

    segmenter: Trainee[Tensor]

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

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for an image critic."""
        if self.selection.enabled or self.alignment.critic == "image":
            check_map_size(segmenter, size, self.alignment.critics_at, "--recipe.alignment.critics_at")

    # ---- what is trained

    def prepare(self, place: Workplace, carried: Trainee[Any] | None) -> None:
        """The segmenter, the critic it must fool, and the image critic that judges whole source images."""
        super().prepare(place, carried)
        classes = len(place.segmenter.classes.names)
        self.aligner: Trainee[Tensor] | None = None
        if self.alignment.critic != "none":
            network = PixelCritic(classes) if self.alignment.critic == "pixel" else ImageCritic(classes)
            self.aligner = critic_trainee(place.fabric, network, self.critics, self.optimiser)
        self.judge: Trainee[Tensor] | None = None
        if self.selection.enabled:
            self.judge = critic_trainee(place.fabric, ImageCritic(classes), self.critics, self.optimiser)
        self.kept = place.domains.source_names
        self.selected_for = 0  # the epoch that `kept` belongs to

    def trainees(self) -> dict[str, Trainee[Any]]:
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
    def _select(self, judge: Trainee[Tensor], epoch: int) -> None:
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
        source, target, unlabelled = pair.labelled_source(), pair.labelled_target(), pair.unlabelled
        # L_PixAdv is a mean over all target images: of two kinds, each has half of lambda.
        weight = self.alignment.weight / (1 if unlabelled is None else 2)
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
        target_maps = [target_map.detach()]
        losses = {"source": on_source.detach(), "target": on_target.detach()}
        objective = on_target
        if self.aligner is not None:
            fooled = self._fool(self.aligner, target_map, log_probs, target.masks)
            objective = on_target + weight * fooled["adversarial"]
            losses |= {name: value.detach() for name, value in fooled.items()}

        if self.aligner is not None and unlabelled is not None:
            self.segmenter.accumulate(objective)
            logits = self.segmenter(unlabelled.images)
            log_probs = self.log_probs(logits, unlabelled.masks)
            unlabelled_map = self._map(logits, unlabelled.masks, log_probs)
            target_maps.append(unlabelled_map.detach())
            fooled = self._fool(self.aligner, unlabelled_map, log_probs.detach(), pseudo_labels(log_probs))
            objective = weight * fooled["adversarial"]
            losses |= {f"unlabelled_{name}": value.detach() for name, value in fooled.items()}
        self.segmenter.descend(objective)

        for name, critic in (("aligner", self.aligner), ("judge", self.judge)):
            if critic is None:
                continue
            # One batch for both domains: the critics have no statistics that could mix, and processes stay in step.
            on_both = critic(torch.cat([source_map, *target_maps])).float()
            of_source, of_target = on_both.tensor_split([len(source_map)])
            loss = critic_loss(of_source, of_target)
            critic.descend(loss)
            losses[name] = loss.detach()
            losses[f"{name}_accuracy"] = ((of_source < 0).float().mean() + (of_target > 0).float().mean()).detach() / 2
        return losses

    def _fool(self, aligner: Trainee[Tensor], maps: Tensor, log_probs: Tensor, labels: Tensor) -> Losses:
        """The segmenter's adversarial loss on target maps, with its graph, and the mean weight of a pixel in it."""
        judged = aligner.frozen(maps)
        if self.alignment.critic == "image":
            return {"adversarial": fool_loss(judged)}
        weights = self._weights(log_probs, labels)
        return {"pixel_weight": weights.mean(), "adversarial": pixadv_loss(judged, weights)}

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
