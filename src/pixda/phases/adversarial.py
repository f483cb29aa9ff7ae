"""PixDA's middle phase: align the domains pixel by pixel while the source is thinned out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pixda.data.domains import Batch, StepBatch
from pixda.errors import UserError
from pixda.losses.adversarial import fool_loss, pixadv_loss, pseudo_labels, rarity
from pixda.losses.likelihood import pixel_nll, pixel_nll_and_softmax
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase, check_map_size
from pixda.phases.settings import Alignment, DiscriminatorOptimiser, Selection
from pixda.phases.source_selector import SourceSelector
from pixda.phases.trainee import Trainee, discriminator_step, discriminator_trainee
from pixda.style import stylise_


@dataclass(kw_only=True, eq=False)
class Adversarial(Phase):
    """``L_seg(source) + L_seg(target) + lambda L_PixAdv(target)`` for the segmenter, eq. 2 for the discriminator.

    After each pass over the source an image discriminator decides which source images stay (eq. 7 and 8,
    ``SourceSelector``); the phase ends when fewer than one batch is kept.

    Where the run has unlabelled target images, they stand on the target's side as the shots do, but for
    ``L_seg`` and for the style: ``L_PixAdv`` is the mean over the shots and over as many unlabelled images, these
    with pseudo-labels (our reconstruction, see ``pseudo_labels``), and the discriminators take both kinds for target.
    ``S`` of unlabelled images is never in the graph, whatever is set for the shots: its gradient would only sharpen
    what the network says already.

    With ``target_labels=False`` the shots are such images, too, and there is no ``L_seg(target)``: the paper names
    an unsupervised form of the method and does not describe it; this is our reconstruction.
    """

    about = (
        "The alignment: the network learns from both domains and has to fool the discriminator on real frames; the "
        "selection's discriminator learns to say which source images look real."
    )
    discriminators = ("discriminator", "selection_discriminator")

    discriminator_optimiser: DiscriminatorOptimiser
    alignment: Alignment
    selection: Selection
    style_beta: float
    target_labels: bool = True

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for an image discriminator, and settings that contradict."""
        top = self.selection.top
        if self.selection.rule == "top" and not (0 < top < 1 or (top >= 1 and top % 1 == 0)):
            raise UserError(
                f"--recipe.selection.top is {top:g}: below 1 it is the share of the source images that stays, above 0; "
                "from 1 on it is their number, a whole one."
            )
        if not self.target_labels and self.alignment.discriminator == "none":
            raise UserError(
                "Without target labels and without a discriminator nothing would be learned from the target: choose "
                "one with --recipe.alignment.discriminator, or set --recipe.target_labels true."
            )
        if self.selection.enabled or self.alignment.discriminator == "image":
            check_map_size(segmenter, size, self.alignment.discriminators_at, "--recipe.alignment.discriminators_at")

    # ---- what is trained

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """The segmenter, the discriminator it must fool, and the selector of source images with its own."""
        super().prepare(context, carried)
        classes = len(context.segmenter.classes.names)
        self.discriminator: Trainee[Tensor] | None = None
        if self.alignment.discriminator != "none":
            pixelwise = self.alignment.discriminator == "pixel"
            network = PixelDiscriminator(classes) if pixelwise else ImageDiscriminator(classes)
            self.discriminator = discriminator_trainee(
                context.fabric, network, self.discriminator_optimiser, self.optimiser
            )
        self.selector: SourceSelector | None = None
        if self.selection.enabled:
            self.selector = SourceSelector(
                context=context,
                phase=self.name,
                batch=self.batch,
                rules=self.selection,
                optimiser=self.discriminator_optimiser,
                schedule=self.optimiser,
                style_beta=self.style_beta,
            )

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter and the discriminators in use."""
        discriminator = {} if self.discriminator is None else {"discriminator": self.discriminator}
        selector = {} if self.selector is None else self.selector.trainees()
        return super().trainees() | discriminator | selector

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source images that are kept, each batch beside a batch of shots."""
        kept = self.context.domains.source_names
        if self.selector is not None:
            if epoch > 0:
                self.selector.select(epoch, self.maps)
            kept = self.selector.kept
        return self.context.domains.source_and_target(kept, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, batch: StepBatch) -> Losses:
        """One step of the segmenter and one of each discriminator."""
        source, target = batch.labelled_source(), batch.labelled_target()

        # Stylise: the source wears the target's colours and light.
        styled = stylise_(source.images, target.images, self.style_beta)

        # Source: L_seg.
        logits = self.segmenter(styled, more=True)
        _, nll, maps = self._read(logits, source.masks, labelled=True)
        loss = self.segmentation_from_nll(nll, source.masks)
        self.segmenter.backward(loss)
        losses, source_maps = {"source": loss.detach()}, maps.detach()

        # Target, shots and then unlabelled images: L_seg where there are labels, and the adversarial loss.
        sides = self._target_sides(batch)
        target_maps, verdicts = [], []
        for kind, (side, labelled) in sides.items():
            logits = self.segmenter(side.images, more=kind != list(sides)[-1])
            labels, nll, maps = self._read(logits, side.masks, labelled)
            terms: list[Tensor] = []
            if labelled:
                terms.append(self.segmentation_from_nll(nll, labels))
                losses["target"] = terms[-1].detach()
            if self.discriminator is not None:
                # One pass of the discriminator serves the segmenter's loss here and its own loss below.
                frozen, verdict = self.discriminator.frozen_and_own(maps)
                fooled = self._fool(frozen.float(), nll if labelled else nll.detach(), labels)
                terms.append(self.alignment.weight / len(sides) * fooled["adversarial"])
                losses |= {f"{kind}{name}": value.detach() for name, value in fooled.items()}
                verdicts.append(verdict.float())
            self.segmenter.backward(sum(terms[1:], terms[0]))
            target_maps.append(maps.detach())
        self.segmenter.step()

        # Discriminators: which domain do the maps come from?
        if self.discriminator is not None:
            of_source = self.discriminator(source_maps).float()
            losses |= discriminator_step("discriminator", self.discriminator, of_source, torch.cat(verdicts))

        # Selection: the same question of whole images.
        if self.selector is not None:
            losses |= self.selector.step(source.names, source_maps, target_maps)
        return losses

    def _target_sides(self, batch: StepBatch) -> dict[str, tuple[Batch, bool]]:
        """What stands on the target's side, by how the names of its losses begin, and whether its labels are read."""
        sides = {"": (batch.labelled_target(), self.target_labels)}
        if batch.unlabelled is not None and self.discriminator is not None:
            sides["unlabelled_"] = (batch.unlabelled, False)
        return sides

    def _read(self, logits: Tensor, masks: Tensor, labelled: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The labels or pseudo-labels, each pixel's ``-log p_i[y_i]``, and the maps for the discriminators."""
        scores = upsample(logits, masks.shape[-2:])
        labels = masks if labelled else pseudo_labels(scores)
        if self.alignment.discriminators_at == "logits":
            return labels, pixel_nll(scores, labels), self.maps(logits, masks.shape[-2:])
        return labels, *pixel_nll_and_softmax(scores, labels)

    def maps(self, logits: Tensor, size: torch.Size) -> Tensor:
        """What the discriminators see: the softmax map at the image's size (paper), or at the logits' own."""
        if self.alignment.discriminators_at == "logits":
            return logits.float().softmax(1)
        return upsample(logits, size).softmax(1)

    def _fool(self, verdict: Tensor, nll: Tensor, labels: Tensor) -> Losses:
        """The segmenter's adversarial loss on target maps, with its graph, and the mean weight of a pixel in it."""
        if self.alignment.discriminator == "image":
            return {"adversarial": fool_loss(verdict)}
        weights = self._weights(nll, labels)
        return {"adversarial": pixadv_loss(verdict, weights), "pixel_weight": weights.mean()}

    def _weights(self, nll: Tensor, labels: Tensor) -> Tensor:
        """S B, eq. 4 and 5, or what an ablation leaves of it: ``B x H x W``. S is the pixels' NLL."""
        weights = torch.ones_like(nll)
        if self.alignment.rarity:
            weights = weights * rarity(labels)
        if self.alignment.difficulty:
            weights = weights * (nll if self.alignment.difficulty_in_graph else nll.detach())
        return weights

    # ---- what must survive

    def opponent(self) -> nn.Module | None:
        """The one that works on target maps; the selection's verdicts on the source are in the logs."""
        return None if self.discriminator is None else self.discriminator.module

    def state_dict(self) -> dict[str, Any]:
        """The source images still in use, and the epoch they were selected for."""
        return {} if self.selector is None else self.selector.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        if self.selector is not None:
            self.selector.load_state_dict(state)
