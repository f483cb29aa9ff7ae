"""FSDA's few-shot phase: labels filtered by the auxiliary head, and a discriminator of pairs beside one of domains."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixda.data.domains import Batch, StepBatch
from pixda.losses.adversarial import discriminator_loss, fool_loss
from pixda.losses.pairing import BOTH_SOURCE, pair_loss, pairing_discriminator_loss, without_easy_pixels
from pixda.models.discriminators import ImageDiscriminator
from pixda.models.two_heads import TwoLogits
from pixda.phases.phase import Context, Losses
from pixda.phases.trainee import Trainee, discriminator_trainee
from pixda.phases.two_heads import Both, TwoHeadPhase, detached, named, weighted

ANSWERS = 3
"""A patch has three answers of each discriminator, all held to one value: so it is in the released code."""


@dataclass(kw_only=True, eq=False)
class Pairing(TwoHeadPhase):
    """FSDA (Zhang et al., ICCVW 2019), from the released script for SYNTHIA.

    With S and T the softmax maps of the source and of the shots, a dash for those of the iteration before (made anew
    by the network as it is now), D1 the discriminator of pairs and D2 that of domains, the segmenter minimises, over
    its heads l:

        L_seg(main, filtered y) + lambda_seg L_seg(auxiliary, y)                  on the source and on the shots
        + sum_l lambda_l [ E(D1(T, T'), both source) + 2 E(D1(T, S), both source) + mean softplus(D2(T)) ]

    with gradients through all of T, T' and S, and each discriminator, shared by the heads, minimises the sum over them
    of ``pairing_discriminator_loss`` or ``discriminator_loss``.

    Every forward pass with a graph is done before the next begins: where two maps meet, each has its gradient in its
    own pass, beside the other's value, and the sum is the same.
    """

    about = "The network learns from both domains, and has to make pairs of images look alike to its discriminators."
    discriminators = (
        "pair_discriminator",
        "domain_discriminator",
        "auxiliary_pair_discriminator",
        "auxiliary_domain_discriminator",
    )

    confidence: float

    # ---- what is trained

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """The segmenter with two heads, a discriminator of pairs of maps and a discriminator of single ones."""
        super().prepare(context, carried)
        classes = len(context.segmenter.classes.names)
        self.pair_discriminator, self.domain_discriminator = (
            discriminator_trainee(
                context.fabric,
                ImageDiscriminator(inputs, outputs=ANSWERS, spectral=True),
                self.discriminator_optimiser,
                self.optimiser,
            )
            for inputs in (2 * classes, classes)
        )
        self.previous: StepBatch | None = None

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The segmenter with both heads, and the discriminators."""
        return super().trainees() | {
            "pair_discriminator": self.pair_discriminator,
            "domain_discriminator": self.domain_discriminator,
        }

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source, each batch beside one of shots.

        Nothing of the previous pair has to be saved: a run that goes on in the middle draws it once more. It always
        goes on in the middle of an epoch, or at its end, for it is saved after a step.
        """
        domains = self.context.domains
        pairs = domains.source_and_target(domains.source_names, self.batch, self.name, epoch, max(skip - 1, 0))
        if skip > 0:
            self.previous = next(pairs)
        return pairs

    # ---- by which losses

    def step(self, batch: StepBatch) -> Losses:
        """One step of the segmenter with both heads, and one of each discriminator."""
        # The first step has no previous batch and takes its own.
        previous, self.previous = self.previous or batch, batch
        source, target = batch.labelled_source(), batch.labelled_target()
        old_source, old_target = previous.labelled_source(), previous.labelled_target()

        # Without a graph: maps that need none here, or whose own pass comes later.
        s, s_old, t_old = (
            self._maps(self.segmenter.frozen(side.images), side) for side in (source, old_source, old_target)
        )

        logits = self.segmenter(target.images, more=True)
        scores = self.at_labels(logits, target)
        on_target = self.from_labels(scores, target.masks)
        maps = self._maps(logits, target, scores)
        with_old, with_source, fooled = self._pair(maps, t_old), self._pair(maps, s), self._fool(maps)
        self.segmenter.backward(
            weighted(self.label_weights, on_target)
            + weighted(self.lambdas, with_old)
            + 2 * weighted(self.lambdas, with_source)
            + weighted(self.lambdas, fooled)
        )
        t = detached(maps)

        logits = self.segmenter(source.images, more=True)
        scores = self.at_labels(logits, source)
        on_source = self.from_labels(scores, source.masks)
        maps = self._maps(logits, source, scores)
        self.segmenter.backward(
            weighted(self.label_weights, on_source) + 2 * weighted(self.lambdas, self._pair(t, maps))
        )

        maps = self._maps(self.segmenter(old_target.images), old_target)
        self.segmenter.backward(weighted(self.lambdas, self._pair(t, maps)))
        self.segmenter.step()

        of_pairs, of_domains = [], []
        for one_s, one_s_old, one_t, one_t_old in zip(s, s_old, t, t_old, strict=True):
            pairs = ((one_s, one_s_old), (one_s_old, one_t), (one_s, one_t_old), (one_t_old, one_t))
            answers = self.pair_discriminator(torch.cat([torch.cat(two, 1) for two in pairs])).float()
            of_pairs.append(pairing_discriminator_loss(*answers.tensor_split([len(one_s), 3 * len(one_s)])))
            of_source, of_target = (
                self.domain_discriminator(torch.cat([one_s, one_t])).float().tensor_split([len(one_s)])
            )
            of_domains.append(discriminator_loss(of_source, of_target))
        for discriminator, losses in ((self.pair_discriminator, of_pairs), (self.domain_discriminator, of_domains)):
            discriminator.backward(losses[0] + losses[1])
            discriminator.step()

        return (
            named("source", on_source)
            | named("target", on_target)
            | named("pair_with_old", with_old)
            | named("pair_with_source", with_source)
            | named("adversarial", fooled)
            | named("pair_discriminator", (of_pairs[0], of_pairs[1]))
            | named("domain_discriminator", (of_domains[0], of_domains[1]))
        )

    def from_labels(self, scores: Both, labels: Tensor) -> Both:
        """The segmentation loss of each head; the main one's on what the auxiliary one is not sure of."""
        main, auxiliary = scores
        hard = without_easy_pixels(labels, auxiliary, self.confidence)
        return self.segmentation(main, hard), self.segmentation(auxiliary, labels)

    def _maps(self, logits: TwoLogits, batch: Batch, at_labels: Both | None = None) -> Both:
        """The softmax maps of both heads, ``B x C x H x W``, at the size the discriminators see."""
        main, auxiliary = self.at_discriminators(logits, batch, at_labels)
        return main.exp(), auxiliary.exp()

    def _pair(self, first: Both, second: Both) -> Both:
        """How far each head's pair is from passing for two source maps; gradients reach the maps that have a graph."""
        both_heads = torch.cat([torch.cat(two, 1) for two in zip(first, second, strict=True)])
        main, auxiliary = self.pair_discriminator.frozen(both_heads).float().chunk(2)
        return pair_loss(main, BOTH_SOURCE), pair_loss(auxiliary, BOTH_SOURCE)

    def _fool(self, maps: Both) -> Both:
        """How far each head is from passing for the source."""
        main, auxiliary = self.domain_discriminator.frozen(torch.cat(maps)).float().chunk(2)
        return fool_loss(main), fool_loss(auxiliary)
