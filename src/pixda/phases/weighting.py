"""The NAAE-style phase: real images teach in full, synthetic pixels as far as they look real. Our reconstruction."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import StepBatch
from pixda.losses.adversarial import fool_loss
from pixda.losses.segmentation import mean_over_valid
from pixda.losses.weighting import realism, weighted_cross_entropy, weighting_loss
from pixda.machine import distributed
from pixda.models.discriminators import ImageDiscriminator, weighting_nets
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase, check_map_size
from pixda.phases.settings import DiscriminatorOptimiser, WeightingSettings
from pixda.phases.trainee import Trainee, discriminator_step, discriminator_trainee


@dataclass(kw_only=True, eq=False)
class Weighting(Phase):
    """``CE(target) + (1/N) sum_i w_i CE_i(source) + lambda L_adv(target)`` for the segmenter.

    ``w`` comes from three networks, which learn beside it to tell the domains' softmax maps apart. They see the maps
    without their graph, and the weights are constants for the segmenter: it cannot make itself look real, nor raise
    a weight. It must fool a discriminator of its own. Which part of this is known of the paper, and which is our
    reconstruction, is said in ``pixda.losses.weighting``; the paper's reconstruction loss is left out.
    """

    about = "The network learns from synthetic pixels as far as a second network finds them like real ones."
    discriminators = ("pixel_net", "region_net", "image_net", "discriminator")

    weighting: WeightingSettings
    discriminator_optimiser: DiscriminatorOptimiser

    def check(self, segmenter: Segmenter, size: tuple[int, int]) -> None:
        """Refuse images whose maps are too small for the weights of whole images."""
        check_map_size(segmenter, size, self.weighting.discriminators_at, "--recipe.weighting.discriminators_at")

    # ---- what is trained

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """The segmenter, the three weighting networks, and the discriminator that it must fool."""
        super().prepare(context, carried)
        classes = len(context.segmenter.classes.names)
        networks = weighting_nets(classes, outputs=1 if self.weighting.weights == "shared" else classes)
        self.nets = {
            level: discriminator_trainee(context.fabric, network, self.discriminator_optimiser, self.optimiser)
            for level, network in networks.items()
        }
        self.discriminator: Trainee[Tensor] | None = None
        if self.weighting.adversarial > 0:
            self.discriminator = discriminator_trainee(
                context.fabric, ImageDiscriminator(classes), self.discriminator_optimiser, self.optimiser
            )

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter, the weighting networks, and the discriminator if it is in use."""
        discriminator = {} if self.discriminator is None else {"discriminator": self.discriminator}
        return super().trainees() | {f"{level}_net": net for level, net in self.nets.items()} | discriminator

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source, each batch beside a batch of shots."""
        domains = self.context.domains
        return domains.source_and_target(domains.source_names, self.batch, self.name, epoch, skip)

    # ---- by which losses

    def step(self, batch: StepBatch) -> Losses:
        """One step of the segmenter, of each weighting network, and of the discriminator."""
        source, target = batch.labelled_source(), batch.labelled_target()

        logits = self.segmenter(source.images, more=True)
        scores = upsample(logits, source.masks.shape[-2:])
        source_map = self._map(logits, scores).detach()
        weights = self._weights(source_map, source.masks)
        shares = self.rank_share(source.masks), self.rank_share(target.masks)
        on_source = weighted_cross_entropy(scores, source.masks, weights) * shares[0]
        self.segmenter.backward(on_source)

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
        if self.discriminator is not None:
            adversarial = fool_loss(self.discriminator.frozen(target_map).float())
            objective = on_target + self.weighting.adversarial * adversarial
            losses["adversarial"] = adversarial.detach()
        self.segmenter.backward(objective)
        self.segmenter.step()

        # One batch for both domains: these networks have no statistics that could mix.
        maps, sources = torch.cat([source_map, target_map.detach()]), len(source_map)
        for level, net in self.nets.items():
            on_both = net(maps).float().tensor_split([sources])
            loss = weighting_loss(on_both[0], source.masks, on_both[1], target.masks, shares)
            net.backward(loss)
            net.step()
            losses[f"{level}_net"] = loss.detach()
        if self.discriminator is not None:
            of_source, of_target = self.discriminator(maps).float().tensor_split([sources])
            losses |= discriminator_step("discriminator", self.discriminator, of_source, of_target)
        return losses

    def _map(self, logits: Tensor, scores: Tensor) -> Tensor:
        """What the networks see: the softmax map at the labels' size, or at the logits' own."""
        return (logits.float() if self.weighting.discriminators_at == "logits" else scores).softmax(1)

    @torch.no_grad()
    def _weights(self, source_map: Tensor, labels: Tensor) -> Tensor:
        """``w`` at every pixel of the source, ``B x H x W``, without a graph."""
        logits_of_levels = [net.frozen(source_map) for net in self.nets.values()]
        share = self.rank_share(labels) if self.weighting.normalise else 1.0
        return realism(
            logits_of_levels,
            labels,
            self.weighting.normalise,
            lambda one: distributed.mean(self.context.fabric, one * share),
        )
