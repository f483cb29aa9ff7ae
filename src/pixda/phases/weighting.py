"""The NAAE-style phase: real images teach in full, synthetic pixels as far as they look real. Our reconstruction."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Pair
from pixda.errors import UserError
from pixda.losses.adversarial import critic_loss, fool_loss
from pixda.losses.weighting import mean_over_valid, realism, weighted_cross_entropy, weighting_loss
from pixda.machine import distributed
from pixda.models.critics import SMALLEST, ImageCritic
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.models.weighting import weighting_nets
from pixda.phases import settings
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee, critic_trainee


class Weighting(Phase):
    """``CE(target) + (1/N) sum_i w_i CE_i(source) + lambda L_adv(target)`` for the segmenter.

    ``w`` comes from three networks, which learn beside it to tell the domains' softmax maps apart. They see the maps
    without their graph, and the weights are constants for the segmenter: it cannot make itself look real, nor raise
    a weight. What it must fool is a critic of its own. Which part of this is known of the paper, and which is our
    reconstruction, is said in :mod:`pixda.losses.weighting`; the paper's reconstruction loss is left out.
    """

    about = "The network learns from synthetic pixels as far as a second network finds them like real ones."
    discriminators = ("pixel_net", "region_net", "image_net", "aligner")

    def __init__(
        self,
        name: str,
        steps: int,
        batch: int,
        optimiser: settings.SegmenterOptimiser,
        weighting: settings.Weighting,
        critics: settings.CriticOptimiser,
    ) -> None:
        super().__init__(name, steps, batch, optimiser, settings.SegmentationLoss(kind="cross_entropy"))
        self.weighting = weighting
        self.critics = critics

    @torch.no_grad()
    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for the weights of whole images."""
        width, height = size
        if self.weighting.critics_at == "logits":
            height, width = segmenter.eval()(torch.zeros(1, 3, height, width)).shape[-2:]
        if min(width, height) < SMALLEST:
            raise UserError(
                f"The network that weighs whole images needs maps of {SMALLEST} x {SMALLEST} pixels or more and would "
                f"get {width} x {height}: train on larger images (--recipe.crop, --size), or set "
                "--recipe.weighting.critics_at image."
            )

    # ---- what is trained

    def prepare(self, place: Workplace, carried: Trainee[Any] | None) -> None:
        """The segmenter, the three weighting networks, and the critic that it must fool."""
        super().prepare(place, carried)
        classes = len(place.segmenter.classes.names)
        networks = weighting_nets(classes, outputs=1 if self.weighting.weights == "shared" else classes)
        self.nets = {
            level: critic_trainee(place.fabric, network, self.critics, self.optimiser)
            for level, network in networks.items()
        }
        self.aligner: Trainee[Tensor] | None = None
        if self.weighting.adversarial > 0:
            self.aligner = critic_trainee(place.fabric, ImageCritic(classes), self.critics, self.optimiser)

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter, the weighting networks, and the critic if it is in use."""
        aligner = {} if self.aligner is None else {"aligner": self.aligner}
        return super().trainees() | {f"{level}_net": net for level, net in self.nets.items()} | aligner

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """One pass over the source, each batch beside a batch of shots."""
        domains = self.place.domains
        return domains.pairs(domains.source_names, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, pair: Pair) -> Losses:
        """One step of the segmenter, of each weighting network, and of the critic."""
        source, target = pair.labelled_source(), pair.labelled_target()

        logits = self.segmenter(source.images, more=True)
        scores = upsample(logits, source.masks.shape[-2:])
        source_map = self._map(logits, scores).detach()
        weights = self._weights(source_map, source.masks)
        shares = self.share(source.masks), self.share(target.masks)
        on_source = weighted_cross_entropy(scores, source.masks, weights) * shares[0]
        self.segmenter.accumulate(on_source)

        logits = self.segmenter(target.images)
        scores = upsample(logits, target.masks.shape[-2:])
        target_map = self._map(logits, scores)
        on_target = self.segmentation(scores, target.masks)
        losses = {
            "source": on_source.detach(),
            "target": on_target.detach(),
            "pixel_weight": mean_over_valid(weights, source.masks) * shares[0],
        }
        objective = on_target
        if self.aligner is not None:
            adversarial = fool_loss(self.aligner.frozen(target_map).float())
            objective = on_target + self.weighting.adversarial * adversarial
            losses["adversarial"] = adversarial.detach()
        self.segmenter.descend(objective)

        # One batch for both domains: these networks have no statistics that could mix.
        maps, sources = torch.cat([source_map, target_map.detach()]), len(source_map)
        for level, net in self.nets.items():
            on_both = net(maps).float().tensor_split([sources])
            loss = weighting_loss(on_both[0], source.masks, on_both[1], target.masks, shares)
            net.descend(loss)
            losses[f"{level}_net"] = loss.detach()
        if self.aligner is not None:
            of_source, of_target = self.aligner(maps).float().tensor_split([sources])
            loss = critic_loss(of_source, of_target)
            self.aligner.descend(loss)
            losses["aligner"] = loss.detach()
        return losses

    def _map(self, logits: Tensor, scores: Tensor) -> Tensor:
        """What the networks see: the softmax map at the labels' size, or at the logits' own."""
        return (logits.float() if self.weighting.critics_at == "logits" else scores).softmax(1)

    @torch.no_grad()
    def _weights(self, source_map: Tensor, labels: Tensor) -> Tensor:
        """``w`` at every pixel of the source, ``B x H x W``, without a graph."""
        judgements = [net.frozen(source_map) for net in self.nets.values()]
        share = self.share(labels) if self.weighting.normalise else 1.0
        return realism(
            judgements, labels, self.weighting.normalise, lambda one: distributed.mean(self.place.fabric, one * share)
        )
