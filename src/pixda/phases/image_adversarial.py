"""Image-wise adversarial training on the maps of two heads: AdaptSegNet and ADVENT."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from pixda.data.domains import Batch, StepBatch
from pixda.losses.adversarial import fool_loss
from pixda.losses.information import self_information
from pixda.models.discriminators import ImageDiscriminator
from pixda.models.two_heads import TwoLogits
from pixda.phases.phase import Context, Losses
from pixda.phases.trainee import Trainee, discriminator_step, discriminator_trainee
from pixda.phases.two_heads import HEADS, Both, TwoHeadPhase, detached, named, weighted


@dataclass(kw_only=True, eq=False)
class ImageAdversarial(TwoHeadPhase):
    """The segmenter minimises, over its heads l:

        sum_l  lambda_seg_l L_seg(source) + lambda_seg_l L_seg(shots) + lambda_l mean softplus(z_l(target))

    where ``z_l`` are the logits of "is target" of the head's own image discriminator; the discriminators minimise
    ``1/2 mean softplus(z_l(source)) + 1/2 mean softplus(-z_l(target))``. AdaptSegNet: Tsai et al., CVPR 2018, eq. 2-5;
    its discriminators see softmax maps, ADVENT's (Vu et al., CVPR 2019, eq. 8-9) self-information maps.

    Our few-shot form: both methods are unsupervised and have no ``L_seg(shots)``; ``target_labels`` False takes it
    away. Where the run has unlabelled target images, they stand on the target's side as the shots do, but for
    ``L_seg``: fooling is the mean over both kinds, and the discriminators take both for target.
    """

    about = (
        "The network learns from both domains, and both of its heads have to fool image discriminators on real frames."
    )
    discriminators = ("discriminator", "auxiliary_discriminator")

    maps: Literal["softmax", "self_information"]
    target_labels: bool

    # ---- what is trained

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """The segmenter with two heads, and an image discriminator for each of them."""
        super().prepare(context, carried)
        classes = len(context.segmenter.classes.names)
        self.discriminator, self.auxiliary_discriminator = (
            discriminator_trainee(
                context.fabric, ImageDiscriminator(classes), self.discriminator_optimiser, self.optimiser
            )
            for _ in HEADS
        )

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter with both heads, and their discriminators."""
        return super().trainees() | self._discriminators

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source, each batch beside one of shots, in their own style."""
        domains = self.context.domains
        return domains.source_and_target(domains.source_names, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, batch: StepBatch) -> Losses:
        """One step of the segmenter with both heads, and one of each discriminator."""
        source, target, unlabelled = batch.labelled_source(), batch.labelled_target(), batch.unlabelled

        # Source: L_seg of both heads.
        logits = self.segmenter(source.images, more=True)
        scores = self.at_labels(logits, source)
        on_source = self.from_labels(scores, source.masks)
        source_maps = detached(self._maps(logits, source, scores))
        self.segmenter.backward(weighted(self.label_weights, on_source))
        losses = named("source", on_source)

        # Target, shots and then unlabelled images: L_seg of the shots, and both heads fool their discriminators.
        # Fooling is a mean over all target images: of two kinds, each has half of lambda.
        sides = {"": target} if unlabelled is None else {"": target, "unlabelled_": unlabelled}
        target_maps = []
        for kind, side in sides.items():
            logits = self.segmenter(side.images, more=kind != list(sides)[-1])
            scores = self.at_labels(logits, side)
            maps = self._maps(logits, side, scores)
            fooled = self._fool(maps)
            objective = weighted(self.lambdas, fooled) / len(sides)
            losses |= named(f"{kind}adversarial", fooled)
            if side is target and self.target_labels:
                on_target = self.from_labels(scores, side.masks)
                objective = objective + weighted(self.label_weights, on_target)
                losses |= named("target", on_target)
            self.segmenter.backward(objective)
            target_maps.append(detached(maps))
        self.segmenter.step()

        # Discriminators: each learns from its own head's maps, both domains in one batch (no statistics could mix).
        both = zip(self._discriminators.items(), source_maps, *target_maps, strict=True)
        for (name, discriminator), source_map, *others in both:
            verdicts = discriminator(torch.cat([source_map, *others])).float()
            of_source, of_target = verdicts.tensor_split([len(source_map)])
            losses |= discriminator_step(name, discriminator, of_source, of_target)
        return losses

    @property
    def _discriminators(self) -> dict[str, Trainee[Tensor]]:
        return {"discriminator": self.discriminator, "auxiliary_discriminator": self.auxiliary_discriminator}

    def _fool(self, maps: Both) -> Both:
        """How far each head is from fooling its discriminator, with its graph."""
        main, auxiliary = (
            fool_loss(discriminator.frozen(one).float())
            for discriminator, one in zip(self._discriminators.values(), maps, strict=True)
        )
        return main, auxiliary

    def _maps(self, logits: TwoLogits, batch: Batch, at_labels: Both | None = None) -> Both:
        """What the discriminators see of each head, ``B x C x H x W``, with its graph."""
        main, auxiliary = self.at_discriminators(logits, batch, at_labels)
        if self.maps == "softmax":
            return main.exp(), auxiliary.exp()
        return self_information(main), self_information(auxiliary)
