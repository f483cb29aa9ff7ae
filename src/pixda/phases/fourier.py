"""Fourier domain adaptation: the source wears the target's style, a network for each width of the style's band."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from pixda.data.domains import Batch, StepBatch
from pixda.data.files import packed_mask
from pixda.losses.entropy import charbonnier_entropy
from pixda.machine import distributed
from pixda.models.ensemble import Ensemble
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.phases.phase import Context, Losses, Phase
from pixda.phases.trainee import Trainee, segmenter_trainee
from pixda.pseudo_labels import STEPS, count, keep, likeliest, thresholds
from pixda.style import stylise

Stream = Literal["target", "unlabelled"]


@dataclass(kw_only=True, eq=False)
class Fourier(Phase):
    """``L_seg(source in the target's style) + lambda_ent mean rho(target)``, for one network a band.

    Yang & Soatto, *FDA: Fourier Domain Adaptation for Semantic Segmentation*, CVPR 2020. The networks see the same
    batches, each with the source stylised at its own beta, and know nothing of each other; what the phase leaves is
    their ``Ensemble``, or the network itself where there is one band.

    A phase that comes ``after`` another is a round of self-training: the networks begin again where the first round's
    did, and ``L_seg(target, pseudo-labels)`` joins their loss, the labels made once, by the ensemble of the round
    before. Departure: they begin at the run's first stage, the released code's at the ImageNet weights.

    The shots are target images without labels, as in PixDA's comparison. With ``target_labels`` their labels are
    learned from, in every round, and pseudo-labels are for images that have none. Where the run has unlabelled target
    images, a batch of them stands beside the shots in every step, and the two lend the source their style by turns.
    """

    about = "The network learns from synthetic images in the style of real ones, and must be sure of itself on these."

    bands: Sequence[float]
    entropy_weight: float
    eta: float
    target_labels: bool
    after: "Fourier | None" = None

    def __post_init__(self) -> None:
        self.first: Segmenter | None = None  # the network that every member of every round begins as

    # ---- what is trained

    def prepare(self, context: Context, carried: Trainee[Any] | None) -> None:
        """A copy of the first stage for each band; together they are the network being made."""
        self._teacher = self.first = context.segmenter
        # Taken from the round before; in a resumed run the checkpoint supplies its weights.
        if self.after is not None and self.after.first is not None:
            self.first = self.after.first
        networks = [copy.deepcopy(self.first) for _ in self.bands]
        context.segmenter = networks[0]
        super().prepare(context, carried)
        others = [segmenter_trainee(context.fabric, network.train(), self.optimiser) for network in networks[1:]]
        self.members = [self.segmenter, *others]
        if others:
            context.segmenter = Ensemble(networks).to(context.fabric.device)
        self.domains = context.domains
        self.pseudo_labels: dict[Stream, dict[str, bytes]] | None = None

    def trainees(self) -> dict[str, Trainee[Any]]:
        """The network of each band."""
        return {"segmenter" if n == 0 else f"segmenter {n + 1}": member for n, member in enumerate(self.members)}

    # ---- on which batches

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source, each batch beside one of target images."""
        if self.after is not None and self.pseudo_labels is None:
            self._learn_from(self._make_pseudo_labels())
        return self.domains.source_and_target(self.domains.source_names, self.batch, self.name, epoch, skip)

    @torch.no_grad()
    def _make_pseudo_labels(self) -> dict[Stream, dict[str, bytes]]:
        """A mask for every target image without labels, by the thresholds that hold for all of them together."""
        counts = torch.zeros(len(self._teacher.classes.names), STEPS + 1, dtype=torch.long)
        for _, _, labels, sure in self._predicted(0):
            counts += count(labels, sure, len(counts))
        counts = distributed.total(self.context.fabric, counts.to(self.context.fabric.device)).cpu()
        limits = thresholds(counts)

        mine: list[tuple[Stream, str, bytes]] = []
        kept = 0
        for stream, names, labels, sure in self._predicted(1):
            chosen = keep(labels, sure, limits).cpu().numpy()
            kept += int((chosen != 255).sum())
            mine += [(stream, name, packed_mask(one)) for name, one in zip(names, chosen, strict=True)]
        masks: dict[Stream, dict[str, bytes]] = {}
        for part in distributed.gathered(self.context.fabric, mine):
            for stream, name, mask in part:
                masks.setdefault(stream, {})[name] = mask
        kept = sum(distributed.gathered(self.context.fabric, kept))
        images = sum(len(of_stream) for of_stream in masks.values())
        self.context.reporter.labelled(images, kept / max(int(counts.sum()), 1))
        return masks

    def _predicted(self, look: int) -> Iterator[tuple[Stream, list[str], Tensor, Tensor]]:
        """What the round before says of whole target images: stream, names, labels and confidences ``B x H x W``.

        Each process takes its part. All are predicted twice, to count and to cut, because the maps of thousands of
        images fit into no memory.
        """
        streams: list[Stream] = ["unlabelled"] if self.target_labels else ["target", "unlabelled"]
        datasets = {"target": self.context.domains.target, "unlabelled": self.context.domains.unlabelled}
        total = sum(len(datasets[stream] or ()) for stream in streams)
        done = look * total
        self._teacher.eval()
        for stream in streams:
            for batch in self.context.domains.whole(stream, self.batch):
                with self.context.fabric.autocast():
                    logits = self._teacher(batch.images)
                yield stream, batch.names, *likeliest(upsample(logits, batch.images.shape[-2:]).log_softmax(1))
                done = min(done + len(batch.names) * self.context.fabric.world_size, (look + 1) * total)
                self.context.reporter.labelling(done, 2 * total)

    def _learn_from(self, pseudo_labels: dict[Stream, dict[str, bytes]]) -> None:
        """Give the target images these masks; from here on they follow the images' crops and flips."""
        self.pseudo_labels = pseudo_labels
        domains = self.context.domains
        if "target" in pseudo_labels:
            domains = replace(domains, target=domains.target.with_masks(pseudo_labels["target"]))
        if "unlabelled" in pseudo_labels and domains.unlabelled is not None:
            remade = domains.unlabelled.with_masks(pseudo_labels["unlabelled"])
            domains = replace(domains, unlabelled=remade)
        self.domains = domains
        self._teacher = self.context.segmenter  # the networks of the round before are no longer needed

    # ---- by which losses

    def step(self, batch: StepBatch) -> Losses:
        """One step of every network; the losses are their means."""
        source, shots, unlabelled = batch.labelled_source(), batch.labelled_target(), batch.unlabelled
        target = shots if unlabelled is None else _together(shots, unlabelled)
        style = shots if unlabelled is None or self.segmenter.steps % 2 == 0 else unlabelled
        totals: Losses = {}
        for beta, member in zip(self.bands, self.members, strict=True):
            logits = member(stylise(source.images, style.images, beta), more=True)
            on_source = self.segmentation(upsample(logits, source.masks.shape[-2:]), source.masks)
            member.backward(on_source)

            logits = member(target.images)
            entropy = charbonnier_entropy(logits.float().log_softmax(1), self.eta)
            objective = self.entropy_weight * entropy
            losses = {"source": on_source.detach(), "entropy": entropy.detach()}
            if self.target_labels or self.after is not None:
                on_target = self.segmentation(upsample(logits, target.masks.shape[-2:]), target.masks)
                objective = objective + on_target
                losses["target"] = on_target.detach()
            member.backward(objective)
            member.step()
            totals = {name: totals.get(name, 0) + value / len(self.members) for name, value in losses.items()}
        return totals

    # ---- what must survive

    def state_dict(self) -> dict[str, Any]:
        """The first stage, for the rounds to come, and the pseudo-labels, whose makers are gone."""
        assert self.first is not None
        return {"first": self.first.state_dict(), "pseudo_labels": self.pseudo_labels}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        assert self.first is not None
        self.first.load_state_dict(state["first"])
        if state["pseudo_labels"] is not None:
            self._learn_from(state["pseudo_labels"])


def _together(one: Batch, other: Batch) -> Batch:
    """Two batches of one domain as one, so that a forward pass has one domain's batch statistics."""
    return Batch(torch.cat([one.images, other.images]), torch.cat([one.masks, other.masks]), [*one.names, *other.names])
