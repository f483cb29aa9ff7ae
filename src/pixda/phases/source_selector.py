"""Sample selection: discriminators that see whole source images, and which of these each of them keeps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pixda.machine import distributed
from pixda.models.discriminators import ImageDiscriminator
from pixda.phases.phase import Context, Losses
from pixda.phases.settings import DiscriminatorOptimiser, SegmenterOptimiser, Selection
from pixda.phases.trainee import Trainee, discriminator_step, discriminator_trainee
from pixda.selection import Rule, Selected, Threshold, Top, score, threshold
from pixda.style import stylise_

Maps = Callable[[Tensor, torch.Size], Tensor]
"""From a segmenter's logits, and the size (height, width) of its images, to the maps that discriminators see."""


@dataclass(kw_only=True, eq=False)
class SourceSelector:
    """Eq. 7 and 8: a discriminator for each source, trained on that source's maps against the target's.

    The paper has one source, and names several as an extension without a description: that each has a discriminator,
    a list of what it keeps and a selection of its own is our reconstruction. The rule is the same for all. A source
    that keeps fewer images than its share of a batch drops out, and the others share its part.
    """

    context: Context
    phase: str
    batch: int
    rules: Selection
    optimiser: DiscriminatorOptimiser
    schedule: SegmenterOptimiser
    style_beta: float

    def __post_init__(self) -> None:
        self.sources = self.context.domains.sources
        classes = len(self.context.segmenter.classes.names)
        self.discriminators = [
            discriminator_trainee(self.context.fabric, ImageDiscriminator(classes), self.optimiser, self.schedule)
            for _ in self.sources.titles
        ]
        self._keep(self.context.domains.source_names)
        self.selected_for = 0  # the epoch that `kept` belongs to

    def _keep(self, names: list[str]) -> None:
        """Set the images in use, and how many of each source go into a batch of all processes."""
        self.kept = names
        self.takes = {share.source: share.take for share in self.sources.shares(names, self.batch)}

    def trainees(self) -> dict[str, Trainee[Tensor]]:
        """``selection_discriminator``; of several sources, ``selection_discriminator_<source>``."""
        ends = [f"_{title}" if self.sources.several else "" for title in self.sources.titles]
        return {f"selection_discriminator{end}": one for end, one in zip(ends, self.discriminators, strict=True)}

    def step(self, names: list[str], source_maps: Tensor, target_maps: Sequence[Tensor]) -> Losses:
        """One step of each discriminator whose source is among these ``names``; maps ``B x C x H x W``, detached."""
        losses: Losses = {}
        for number, (name, discriminator) in enumerate(self.trainees().items()):
            rows = [row for row, frame in enumerate(names) if self.sources.source_of(frame) == number]
            if number in self.takes:
                # All ranks must step: one without an image of the source passes another with weight zero.
                own = source_maps if len(rows) == len(names) else source_maps[rows or [0]]
                share = len(rows) * self.context.fabric.world_size / self.takes[number]
                # One batch for both domains: the discriminators have no statistics that could mix.
                of_source, of_target = discriminator(torch.cat([own, *target_maps])).float().tensor_split([len(own)])
                losses |= discriminator_step(name, discriminator, of_source, of_target, share)
        return losses

    @torch.no_grad()
    def select(self, epoch: int, maps: Maps) -> None:
        """Choose among the images of each source that are kept so far; once an epoch."""
        if epoch <= self.selected_for:
            return
        segmenter = self.context.segmenter.eval()
        kept: list[str] = []
        for number, (title, discriminator) in enumerate(zip(self.sources.titles, self.discriminators, strict=True)):
            names = [name for name in self.kept if self.sources.source_of(name) == number]
            if names:
                scores = self._scores(names, epoch, discriminator, maps)
                rule = self._rule(epoch)
                stay = rule.keep(scores)
                source = title if self.sources.several else None
                self.context.reporter.selected(Selected(epoch, rule, scores, stay, source))
                kept += stay
        segmenter.train()
        self._keep(self._without_short_sources(kept))
        self.selected_for = epoch

    def _scores(self, names: list[str], epoch: int, discriminator: Trainee[Tensor], maps: Maps) -> dict[str, float]:
        """Name -> score of these images, in their order; each process scores its part, and all have all of them."""
        mine: dict[str, float] = {}
        for some, values in self._scored(names, epoch, discriminator, maps):
            mine.update(zip(some, values.tolist(), strict=True))
        scores = {
            name: value for part in distributed.gathered(self.context.fabric, mine) for name, value in part.items()
        }
        return {name: scores[name] for name in names if name in scores}  # an unreadable image has no score

    def _scored(
        self, names: list[str], epoch: int, discriminator: Trainee[Tensor], maps: Maps
    ) -> Iterator[tuple[list[str], Tensor]]:
        """Score this process's part of these images, whole, each in the style of a target image drawn at random."""
        done = 0
        for source, target in self.context.domains.whole_pairs(names, self.batch, self.phase, epoch):
            styled = stylise_(source.images, target.images, self.style_beta)
            with self.context.fabric.autocast():
                logits = self.context.segmenter(styled)
            yield source.names, score(discriminator.frozen(maps(logits, source.masks.shape[-2:])))
            done = min(done + len(source.names) * self.context.fabric.world_size, len(names))
            self.context.reporter.scoring(done, len(names))

    def _rule(self, epoch: int) -> Rule:
        if self.rules.rule == "top":
            return Top(self.rules.top)
        return Threshold(threshold(self.rules.delta, self.rules.growth, epoch))

    def _without_short_sources(self, kept: list[str]) -> list[str]:
        """The kept images of those sources that still fill their share of a batch."""
        stay = {share.source for share in self.sources.shares(kept, self.batch)}
        left = {self.sources.source_of(name) for name in self.kept} - stay
        for source in sorted(left) if self.sources.several else ():
            self.context.reporter.dropped(self.sources.titles[source])
        return [name for name in kept if self.sources.source_of(name) in stay]

    # ---- what must survive

    def state_dict(self) -> dict[str, Any]:
        """The source images still in use, and the epoch they were selected for."""
        return {"kept": self.kept, "selected_for": self.selected_for}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self._keep(state["kept"])
        self.selected_for = state["selected_for"]
