"""Learning from labels: of the source, of the target, or of both in balanced batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pixda.data.domains import StepBatch
from pixda.models.upsampling import upsample
from pixda.phases.phase import Losses, Phase
from pixda.style import stylise


@dataclass(kw_only=True, eq=False)
class Supervised(Phase):
    """Minimise the segmentation loss.

    ``on="both"`` is balanced joint training: as many target as source images in every step, each domain in a
    forward pass of its own, as in adaptation. ``on="concatenation"`` is the paper's joint training: the two sets
    are one, and a batch holds whatever was drawn. With ``style_beta`` > 0 the source images wear the target's
    style.
    """

    on: Literal["source", "target", "both", "concatenation"]
    style_beta: float = 0.0

    def __post_init__(self) -> None:
        self.about = {
            "source": "The network learns from the labelled synthetic images alone.",
            "target": "The network learns from the labelled real frames alone.",
            "both": "The network learns from as many real as synthetic images in every step.",
            "concatenation": "The network learns from synthetic and real images as one set.",
        }[self.on]

    def batches(self, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over the source (or both as one set); over the target alone, all steps are one epoch."""
        domains = self.context.domains
        if self.on == "target":
            return domains.target_only(self.steps, self.batch, self.name, epoch, skip)
        if self.on == "source":
            return domains.source_only(domains.source_names, self.batch, self.name, epoch, skip)
        if self.on == "concatenation":
            return domains.concatenated(self.batch, self.name, epoch, skip)
        return domains.source_and_target(domains.source_names, self.batch, self.name, epoch, skip)

    def step(self, batch: StepBatch) -> Losses:
        """L_seg on each domain that is learned from, one optimiser step on their sum."""
        source, target = batch.source, batch.target
        if source is not None and target is not None and self.style_beta > 0:
            source = source._replace(images=stylise(source.images, target.images, self.style_beta))
        if self.on == "concatenation":
            target = None  # used for its style only; the shots to learn from are in the other batch
        sides = {"source": source, "target": target}
        learned = {domain: side for domain, side in sides.items() if side is not None}

        losses: Losses = {}
        for domain, side in learned.items():
            logits = self.segmenter(side.images, more=domain != list(learned)[-1])
            loss = self.segmentation(upsample(logits, side.masks.shape[-2:]), side.masks)
            self.segmenter.backward(loss)
            losses[domain] = loss.detach()
        self.segmenter.step()
        return losses
