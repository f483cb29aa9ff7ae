"""Learning from labels: of the source, of the target, or of both in balanced batches."""

from collections.abc import Iterator
from typing import Literal

from torch import Tensor

from pixda.data.domains import Batch, Pair
from pixda.models.upsampling import upsample
from pixda.phases.phase import Losses, Phase
from pixda.phases.settings import SegmentationLoss, SegmenterOptimiser
from pixda.phases.trainee import Trainee
from pixda.style import stylise


class Supervised(Phase):
    """Minimise the segmentation loss.

    ``on="both"`` is balanced joint training: as many target as source images in every step, each domain in a
    forward pass of its own, as in adaptation. ``on="concatenation"`` is the paper's joint training: the two sets
    are one, and a batch holds whatever was drawn. With ``style_beta`` > 0 the source images wear the target's
    style.
    """

    segmenter: Trainee[Tensor]

    def __init__(
        self,
        name: str,
        on: Literal["source", "target", "both", "concatenation"],
        steps: int,
        batch: int,
        optimiser: SegmenterOptimiser,
        loss: SegmentationLoss,
        style_beta: float = 0.0,
    ) -> None:
        super().__init__(name, steps, batch, optimiser, loss)
        self.on = on
        self.style_beta = style_beta
        self.about = {
            "source": "The network learns from the labelled synthetic images alone.",
            "target": "The network learns from the labelled real frames alone.",
            "both": "The network learns from as many real as synthetic images in every step.",
            "concatenation": "The network learns from synthetic and real images as one set.",
        }[on]

    def batches(self, epoch: int, skip: int) -> Iterator[Pair]:
        """One pass over the source (or both as one set); over the target alone, all steps are one epoch."""
        domains = self.place.domains
        if self.on == "target":
            return domains.target_only(self.steps, self.batch, self.name, epoch, skip)
        if self.on == "source":
            return domains.source_only(domains.source_names, self.batch, self.name, epoch, skip)
        if self.on == "concatenation":
            return domains.concatenated(self.batch, self.name, epoch, skip)
        return domains.pairs(domains.source_names, self.batch, self.name, epoch, skip)

    def step(self, pair: Pair) -> Losses:
        """L_seg on each batch that is learned from, one optimiser step on their sum."""
        losses: Losses = {}
        source, target = pair.source, pair.target
        if source is not None and target is not None and self.style_beta > 0:
            source = source._replace(images=stylise(source.images, target.images, self.style_beta))
        if self.on == "concatenation":
            target = None  # it lent its style; the shots to learn from are in the other batch
        present = {"source": source, "target": target}
        batches: dict[str, Batch] = {domain: batch for domain, batch in present.items() if batch is not None}
        for domain, batch in batches.items():
            more = domain != list(batches)[-1]
            scores = upsample(self.segmenter(batch.images, more), batch.masks.shape[-2:])
            loss = self.segmentation(scores, batch.masks)
            if more:
                self.segmenter.accumulate(loss)
            else:
                self.segmenter.descend(loss)
            losses[domain] = loss.detach()
        return losses
