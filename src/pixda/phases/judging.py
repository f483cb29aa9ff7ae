"""The image critics that judge whole source images, and which of these each of them has kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pixda.losses.adversarial import critic_loss
from pixda.machine import distributed
from pixda.models.critics import ImageCritic
from pixda.phases import settings
from pixda.phases.phase import Losses, Workplace
from pixda.phases.trainee import Trainee, critic_trainee
from pixda.selection import Rule, Threshold, Top, score, select, threshold
from pixda.style import stylise_

Maps = Callable[[Tensor, Tensor], Tensor]
"""From a segmenter's logits and the labels they belong to, to the maps that critics see."""


class Judging:
    """Eq. 7 and 8: a critic for each source, trained on that source's maps against the target's.

    The paper has one source, and names several as an extension without a description: that each has a critic, a
    list of what it keeps and a selection of its own is our reconstruction. The rule is the same for all. A source
    that keeps fewer images than its share of a batch drops out, and the others share its part.
    """

    def __init__(
        self,
        place: Workplace,
        phase: str,
        batch: int,
        rules: settings.Selection,
        critics: settings.CriticOptimiser,
        schedule: settings.SegmenterOptimiser,
        style_beta: float,
    ) -> None:
        self.place, self.phase, self.batch, self.rules, self.style_beta = place, phase, batch, rules, style_beta
        self.sources = place.domains.sources
        classes = len(place.segmenter.classes.names)
        self.judges = [
            critic_trainee(place.fabric, ImageCritic(classes), critics, schedule) for _ in self.sources.titles
        ]
        self._keep(place.domains.source_names)
        self.selected_for = 0  # the epoch that `kept` belongs to

    def _keep(self, names: list[str]) -> None:
        """From now on these are drawn from; of each source, how many images a batch of all processes takes."""
        self.kept = names
        self.takes = {share.source: share.take for share in self.sources.shares(names, self.batch)}

    def trainees(self) -> dict[str, Trainee[Tensor]]:
        """``judge``; of several sources, ``judge_<source>``."""
        several = self.sources.several
        names = [f"judge_{title}" if several else "judge" for title in self.sources.titles]
        return dict(zip(names, self.judges, strict=True))

    def learn(self, names: list[str], source_maps: Tensor, target_maps: Sequence[Tensor]) -> Losses:
        """One step of each judge whose source is among these ``names``; all maps ``B x C x H x W``, detached."""
        losses: Losses = {}
        for number, (name, judge) in enumerate(self.trainees().items()):
            rows = [row for row, frame in enumerate(names) if self.sources.source_of(frame) == number]
            if number in self.takes:
                # Processes step together: one that has no image of the source gives another, which counts for nothing.
                own = source_maps if len(rows) == len(names) else source_maps[rows or [0]]
                share = len(rows) * self.place.fabric.world_size / self.takes[number]
                # One batch for both domains: the critics have no statistics that could mix.
                of_source, of_target = judge(torch.cat([own, *target_maps])).float().tensor_split([len(own)])
                losses |= tell_apart(name, judge, of_source, of_target, share)
        return losses

    @torch.no_grad()
    def select(self, epoch: int, maps: Maps) -> None:
        """Let every judge choose among the images of its source that are kept so far; once an epoch."""
        if epoch <= self.selected_for:
            return
        segmenter = self.place.segmenter.eval()
        kept: list[str] = []
        for number, (title, judge) in enumerate(zip(self.sources.titles, self.judges, strict=True)):
            names = [name for name in self.kept if self.sources.source_of(name) == number]
            if names:
                scores = self._scores(names, epoch, judge, maps)
                result = select(epoch, self._rule(epoch), scores, title if self.sources.several else None)
                self.place.journal.selected(result)
                kept += result.kept
        segmenter.train()
        self._keep(self._without_short_sources(kept))
        self.selected_for = epoch

    def _scores(
        self, names: list[str], epoch: int, judge: Trainee[Tensor], maps: Maps
    ) -> Iterator[tuple[list[str], Tensor]]:
        """The scores of these images, in their order; each process scores its part, and all have all of them."""
        mine: dict[str, float] = {}
        for some, values in self._scored(names, epoch, judge, maps):
            mine.update(zip(some, values.tolist(), strict=True))
        scores = {name: value for part in distributed.gathered(self.place.fabric, mine) for name, value in part.items()}
        seen = [name for name in names if name in scores]  # nobody can say what the score of an unreadable image is
        yield seen, torch.tensor([scores[name] for name in seen])

    def _scored(
        self, names: list[str], epoch: int, judge: Trainee[Tensor], maps: Maps
    ) -> Iterator[tuple[list[str], Tensor]]:
        """Score this process's part of these images, whole, each in the style of a target image drawn at random."""
        done = 0
        for source, target in self.place.domains.whole_pairs(names, self.batch, self.phase, epoch):
            styled = stylise_(source.images, target.images, self.style_beta)
            with self.place.fabric.autocast():
                logits = self.place.segmenter(styled)
            yield source.names, score(judge.frozen(maps(logits, source.masks)))
            done = min(done + len(source.names) * self.place.fabric.world_size, len(names))
            self.place.journal.scoring(done, len(names))

    def _rule(self, epoch: int) -> Rule:
        if self.rules.rule == "top":
            return Top(self.rules.top)
        return Threshold(threshold(self.rules.delta, self.rules.growth, epoch))

    def _without_short_sources(self, kept: list[str]) -> list[str]:
        """What is kept of the sources that still fill their share of a batch."""
        stay = {share.source for share in self.sources.shares(kept, self.batch)}
        left = {self.sources.source_of(name) for name in self.kept} - stay
        for source in sorted(left) if self.sources.several else ():
            self.place.journal.dropped(self.sources.titles[source])
        return [name for name in kept if self.sources.source_of(name) in stay]

    # ---- what must survive

    def state_dict(self) -> dict[str, Any]:
        """The source images still in use, and the epoch they were selected for."""
        return {"kept": self.kept, "selected_for": self.selected_for}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._keep(state["kept"])
        self.selected_for = state["selected_for"]


def tell_apart(name: str, critic: Trainee[Tensor], of_source: Tensor, of_target: Tensor, share: float = 1.0) -> Losses:
    """One step of a critic from its logits (eq. 2 or 7): its loss, and its accuracy as the mean over the domains.

    ``share``: by how much the mean over this process's source maps counts among those of all processes.
    """
    loss = critic_loss(of_source, of_target, share)
    critic.descend(loss)
    accuracy = (share * (of_source < 0).float().mean() + (of_target > 0).float().mean()) / 2
    return {name: loss.detach(), f"{name}_accuracy": accuracy.detach()}
