"""Image-wise adversarial training on the maps of two heads: AdaptSegNet and ADVENT."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from pixda.data.domains import Batch, Pair
from pixda.losses.adversarial import critic_loss, fool_loss
from pixda.losses.information import self_information
from pixda.models.critics import ImageCritic
from pixda.models.two_heads import TwoLogits
from pixda.phases import settings
from pixda.phases.phase import Losses, Workplace
from pixda.phases.trainee import Trainee, critic_trainee
from pixda.phases.two_heads import HEADS, Both, TwoHeaded, detached, named, weighted


class ImageAdversarial(TwoHeaded):
    """The segmenter descends, over its heads l, ::

        sum_l  lambda_seg_l L_seg(source) + lambda_seg_l L_seg(shots) + lambda_l mean softplus(z_l(target))

    where ``z_l`` are the logits of "is target" of the head's own image critic; the critics descend
    ``1/2 mean softplus(z_l(source)) + 1/2 mean softplus(-z_l(target))``. AdaptSegNet: Tsai et al., CVPR 2018, eq. 2-5;
    its critics see softmax maps, ADVENT's (Vu et al., CVPR 2019, eq. 8-9) self-information maps.

    Our few-shot form: both methods are unsupervised and have no ``L_seg(shots)``; ``target_labels`` False takes it
    away. Where the run has unlabelled target images, they stand on the target's side as the shots do, but for
    ``L_seg``: fooling is the mean over both kinds, and the critics take both for target.
    """

    about = "The network learns from both domains, and both of its heads have to fool image critics on real frames."
    discriminators = ("critic", "auxiliary_critic")

    def __init__(
        self,
        name: str,
        steps: int,
        batch: int,
        optimiser: settings.SegmenterOptimiser,
        loss: settings.SegmentationLoss,
        critics: settings.CriticOptimiser,
        heads: settings.Heads,
        maps: Literal["softmax", "self_information"],
        target_labels: bool,
    ) -> None:
        super().__init__(name, steps, batch, optimiser, loss, critics, heads)
        self.maps = maps
        self.target_labels = target_labels

    # ---- what is trained

    def prepare(self, place: Workplace, carried: Trainee[Any] | None) -> None:
        """The segmenter with two heads, and an image critic for each of them."""
        super().prepare(place, carried)
        classes = len(place.segmenter.classes.names)
        self.critic, self.auxiliary_critic = (
            critic_trainee(place.fabric, ImageCritic(classes), self.critics, self.optimiser) for _ in range(2)
        )

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter with both heads, and their critics."""
        return super().trainees() | {"critic": self.critic, "auxiliary_critic": self.auxiliary_critic}

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """One pass over the source, each batch beside one of shots, in their own style."""
        domains = self.place.domains
        return domains.pairs(domains.source_names, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, pair: Pair) -> Losses:
        """One step of the segmenter with both heads, and one of each critic."""
        source, target, unlabelled = pair.labelled_source(), pair.labelled_target(), pair.unlabelled
        # Fooling is a mean over all target images: of two kinds, each has half of lambda.
        share = 1.0 if unlabelled is None else 0.5

        logits = self.segmenter(source.images, more=True)
        scores = self.at_labels(logits, source)
        on_source = self.from_labels(scores, source.masks)
        source_maps = detached(self._maps(logits, source, scores))
        self.segmenter.accumulate(weighted(self.label_weights, on_source))
        losses = named("source", on_source)

        logits = self.segmenter(target.images, more=unlabelled is not None)
        scores = self.at_labels(logits, target)
        maps = self._maps(logits, target, scores)
        target_maps = [detached(maps)]
        fooled = self._fool(maps)
        objective = share * weighted(self.lambdas, fooled)
        losses |= named("adversarial", fooled)
        if self.target_labels:
            on_target = self.from_labels(scores, target.masks)
            objective = objective + weighted(self.label_weights, on_target)
            losses |= named("target", on_target)

        if unlabelled is not None:
            self.segmenter.accumulate(objective)
            maps = self._maps(self.segmenter(unlabelled.images), unlabelled)
            target_maps.append(detached(maps))
            fooled = self._fool(maps)
            objective = share * weighted(self.lambdas, fooled)
            losses |= named("unlabelled_adversarial", fooled)
        self.segmenter.descend(objective)

        for name, critic, of_source, *of_target in zip(HEADS, self._critics, source_maps, *target_maps, strict=True):
            # One batch for both domains: the critics have no statistics that could mix, and processes stay in step.
            on_both = critic(torch.cat([of_source, *of_target])).float()
            judged_source, judged_target = on_both.tensor_split([len(of_source)])
            loss = critic_loss(judged_source, judged_target)
            critic.descend(loss)
            right = ((judged_source < 0).float().mean() + (judged_target > 0).float().mean()) / 2
            losses |= {f"{name}critic": loss.detach(), f"{name}critic_accuracy": right.detach()}
        return losses

    @property
    def _critics(self) -> tuple[Trainee[Tensor], Trainee[Tensor]]:
        return self.critic, self.auxiliary_critic

    def _fool(self, maps: Both) -> Both:
        """How far each head is from fooling its critic, with its graph."""
        main, auxiliary = (
            fool_loss(critic.frozen(one).float()) for critic, one in zip(self._critics, maps, strict=True)
        )
        return main, auxiliary

    def _maps(self, logits: TwoLogits, batch: Batch, at_labels: Both | None = None) -> Both:
        """What the critics see of each head, ``B x C x H x W``, with its graph."""
        main, auxiliary = self.at_critics(logits, batch, at_labels)
        if self.maps == "softmax":
            return main.exp(), auxiliary.exp()
        return self_information(main), self_information(auxiliary)
