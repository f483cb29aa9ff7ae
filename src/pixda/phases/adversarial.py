"""PixDA's middle phase: align the domains pixel by pixel while the source is thinned out."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pixda.data.domains import Batch, Pair
from pixda.errors import UserError
from pixda.losses.adversarial import fool_loss, pixadv_loss, pseudo_labels, rarity
from pixda.losses.likelihood import surprise, surprise_and_map
from pixda.models.critics import ImageCritic, PixelCritic
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.phases import settings
from pixda.phases.judging import Judging, tell_apart
from pixda.phases.map_size import check_map_size
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee, critic_trainee
from pixda.style import stylise_


class Adversarial(Phase):
    """``L_seg(source) + L_seg(target) + lambda L_PixAdv(target)`` for the segmenter, eq. 2 and 7 for the critics.

    After each pass over the source the image critic decides which source images stay (eq. 8); the phase ends
    when fewer than one batch is kept. Of several sources each is judged by a critic of its own
    (:class:`~pixda.phases.judging.Judging`); to the pixel critic, all of them are "source".

    Where the run has unlabelled target images, they stand on the target's side as the shots do, but for
    ``L_seg`` and for the style: ``L_PixAdv`` is the mean over the shots and over as many unlabelled images, these
    with pseudo-labels (our reconstruction, see :func:`~pixda.losses.adversarial.pseudo_labels`), and the critics
    take both kinds for target. On them ``S`` is never in the graph, whatever is set for the shots: its gradient
    would only sharpen what the network says already.

    With ``target_labels=False`` the shots are such images, too, and there is no ``L_seg(target)``: the paper names
    an unsupervised form of the method and does not describe it; this is our reconstruction.
    """

    about = (
        "The alignment: the network learns from both domains and has to fool the pixel critic (aligner) on real "
        "frames; the image critic (judge) learns to say which source images look real."
    )
    discriminators = ("aligner", "judge")

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
        target_labels: bool = True,
    ) -> None:
        super().__init__(name, steps, batch, optimiser, loss)
        self.critics = critics
        self.alignment = alignment
        self.selection = selection
        self.style_beta = style_beta
        self.target_labels = target_labels

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for an image critic, and settings that cannot be followed."""
        top = self.selection.top
        if self.selection.rule == "top" and not (0 < top < 1 or (top >= 1 and top % 1 == 0)):
            raise UserError(
                f"--recipe.selection.top is {top:g}: below 1 it is the share of the source images that stays, above 0; "
                "from 1 on it is their number, a whole one."
            )
        if not self.target_labels and self.alignment.critic == "none":
            raise UserError(
                "Without target labels and without a critic nothing would be learned from the target: choose one with "
                "--recipe.alignment.critic, or set --recipe.target_labels true."
            )
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
        self.judging: Judging | None = None
        if self.selection.enabled:
            self.judging = Judging(
                place, self.name, self.batch, self.selection, self.critics, self.optimiser, self.style_beta
            )

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter and the critics in use."""
        aligner = {} if self.aligner is None else {"aligner": self.aligner}
        return super().trainees() | aligner | ({} if self.judging is None else self.judging.trainees())

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """One pass over the source images that are kept, each batch beside a batch of shots."""
        kept = self.place.domains.source_names
        if self.judging is not None:
            if epoch > 0:
                self.judging.select(epoch, self._map)
            kept = self.judging.kept
        return self.place.domains.pairs(kept, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, pair: Pair) -> Losses:
        """One step of the segmenter and one of each critic."""
        source, target, unlabelled = pair.labelled_source(), pair.labelled_target(), pair.unlabelled
        # L_PixAdv is a mean over all target images: of two kinds, each has half of lambda.
        weight = self.alignment.weight / (1 if unlabelled is None else 2)
        styled = stylise_(source.images, target.images, self.style_beta)

        logits = self.segmenter(styled, more=True)
        surprises, maps = self._read(logits, upsample(logits, source.masks.shape[-2:]), source.masks)
        on_source = self.segmentation_from(surprises, source.masks)
        source_map = maps.detach()
        self.segmenter.accumulate(on_source)
        losses = {"source": on_source.detach()}

        also_unlabelled = self.aligner is not None and unlabelled is not None
        objective, target_map, of_target, on_target = self._on_target(
            target, self.target_labels, weight, more=also_unlabelled
        )
        target_maps, judged = [target_map], [of_target]
        losses |= on_target
        if self.aligner is not None and unlabelled is not None:
            self.segmenter.accumulate(objective)
            objective, target_map, of_target, on_unlabelled = self._on_target(unlabelled, False, weight)
            target_maps.append(target_map)
            judged.append(of_target)
            losses |= {f"unlabelled_{name}": value for name, value in on_unlabelled.items()}
        self.segmenter.descend(objective)

        if self.aligner is not None:
            losses |= tell_apart("aligner", self.aligner, self.aligner(source_map).float(), torch.cat(judged).float())
        if self.judging is not None:
            losses |= self.judging.learn(source.names, source_map, target_maps)
        return losses

    def _on_target(
        self, batch: Batch, labelled: bool, weight: float, more: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Losses]:
        """``L_seg + weight L_PixAdv`` or, of pseudo-labels, ``weight L_PixAdv``; the maps; the critic's logits; losses.

        The objective has the segmenter's graph, the logits have the critic's, from the one pass that both share.
        """
        logits = self.segmenter(batch.images, more)
        scores = upsample(logits, batch.masks.shape[-2:])
        labels = batch.masks if labelled else pseudo_labels(scores)
        surprises, maps = self._read(logits, scores, labels)
        del scores  # as large as the map, and nobody's once it is read
        terms: list[Tensor] = []
        losses: Losses = {}
        if labelled:
            terms.append(self.segmentation_from(surprises, labels))
            losses["target"] = terms[0].detach()
        own = maps.detach()  # of no use where there is no critic
        if self.aligner is not None:
            judged, own = self.aligner.judged(maps)
            fooled = self._fool(judged.float(), surprises if labelled else surprises.detach(), labels)
            terms.append(weight * fooled["adversarial"])
            losses |= {name: value.detach() for name, value in fooled.items()}
        return sum(terms[1:], terms[0]), maps.detach(), own, losses

    def _fool(self, judged: Tensor, surprises: Tensor, labels: Tensor) -> Losses:
        """The segmenter's adversarial loss on target maps, with its graph, and the mean weight of a pixel in it."""
        if self.alignment.critic == "image":
            return {"adversarial": fool_loss(judged)}
        weights = self._weights(surprises, labels)
        return {"pixel_weight": weights.mean(), "adversarial": pixadv_loss(judged, weights)}

    def _read(self, logits: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the losses read: ``-log p_i[y_i]`` of the logits raised to the labels' size, and the critics' maps."""
        if self.alignment.critics_at == "logits":
            return surprise(scores, labels), self._map(logits, labels)
        return surprise_and_map(scores, labels)

    def _map(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What the critics see: the softmax map at the labels' size (paper), or at the logits' own."""
        if self.alignment.critics_at == "logits":
            return logits.float().softmax(1)
        return upsample(logits, labels.shape[-2:]).softmax(1)

    def _weights(self, surprises: Tensor, labels: Tensor) -> Tensor:
        """S B, eq. 4 and 5, or what an ablation leaves of it: ``B x H x W``. S is the pixels' surprise."""
        weights = torch.ones_like(surprises)
        if self.alignment.rarity:
            weights = weights * rarity(labels)
        if self.alignment.difficulty:
            weights = weights * (surprises if self.alignment.difficulty_in_graph else surprises.detach())
        return weights

    # ---- what must survive

    def opponent(self) -> nn.Module | None:
        """The one that works on target maps; the judges' verdicts on the source are in the logs."""
        return None if self.aligner is None else self.aligner.module

    def state_dict(self) -> dict[str, Any]:
        """The source images still in use, and the epoch they were selected for."""
        return {} if self.judging is None else self.judging.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        if self.judging is not None:
            self.judging.load_state_dict(state)
