"""The labelled sources of a run as one dataset, and how they share a batch."""

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from pixda.data.dataset import Sample, SegmentationDataset
from pixda.data.frames import Frame
from pixda.errors import UserError


class Share(NamedTuple):
    """How many images of every batch come from one source, and from which of its frames."""

    source: int
    """Place of the source among all."""
    frames: np.ndarray
    """Numbers of its frames that take part, as in ``Sources``."""
    take: int
    """How many of them a batch takes."""


class Sources(Dataset[Sample]):
    """One or several labelled datasets, one after the other.

    A lone source keeps its frames' names. Of several, a frame is called "<source>/<frame>" ("gta5/00001"), and
    where two are of one kind their titles are numbered ("folder-1", "folder-2").

    Attributes:
        datasets: the sources, in the order given.
        titles: their names, lower case.
    """

    def __init__(self, datasets: Sequence[SegmentationDataset]) -> None:
        self.datasets = list(datasets)
        self.titles = _numbered([dataset.title.lower() for dataset in datasets])
        self._ends: list[int] = np.cumsum([len(dataset.frames) for dataset in datasets]).tolist()
        # Arrays instead of lists, since every loader process would get a copy of each object: the names, and their
        # order, for looking up the number of a name.
        columns = [dataset.frames.names for dataset in datasets]
        if self.several:
            prefixes = [os.fsencode(f"{title}/") for title in self.titles]
            columns = [np.char.add(prefix, column) for prefix, column in zip(prefixes, columns, strict=True)]
        self._names = np.concatenate(columns)
        self._order = np.argsort(self._names, kind="stable")

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self.datasets) > 1

    @property
    def names(self) -> list[str]:
        """Names of all frames, source by source."""
        return [os.fsdecode(name) for name in self._names.tolist()]

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, place: int) -> Sample:
        source, inside = self._inside(place)
        return self.datasets[source][inside]._replace(name=os.fsdecode(self._names[place]))

    def __str__(self) -> str:
        """Each title with what it stands for."""
        described = zip(self.titles, self.datasets, strict=True)
        return "; ".join(f"{title} = {one.root}, split '{one.split}', {len(one)} frames" for title, one in described)

    def frame(self, place: int) -> Frame:
        """One frame's files."""
        source, inside = self._inside(place)
        return self.datasets[source].frames[inside]

    def _inside(self, place: int) -> tuple[int, int]:
        source = self.source_of(place)
        return source, place - (self._ends[source - 1] if source else 0)

    def places(self, names: Sequence[str]) -> np.ndarray:
        """The places of frames by their names, int64. Raises KeyError for a name that no frame has."""
        wanted = np.array([os.fsencode(name) for name in names], np.bytes_)
        found = self._order[np.searchsorted(self._names, wanted, sorter=self._order).clip(max=len(self) - 1)]
        if (unknown := self._names[found] != wanted).any():
            raise KeyError(names[int(unknown.argmax())])
        return np.asarray(found)

    def source_of(self, frame: int | str) -> int:
        """Which source a frame is of, by its place or its name."""
        place = int(self.places([frame])[0]) if isinstance(frame, str) else frame
        return bisect_right(self._ends, place)

    def shares(self, names: Sequence[str], batch: int) -> list[Share]:
        """Share a batch evenly among the sources of these frames; what does not divide goes to the first ones.

        A source that has fewer of these frames than its share is left out, and the others share what it would have
        given.
        """
        places = self.places(names)
        sources = np.searchsorted(self._ends, places, side="right")
        frames = [places[sources == source] for source in range(len(self.datasets))]
        present = [source for source, places in enumerate(frames) if len(places)]
        while present:
            counts = _even(batch, len(present))
            shares = [Share(source, frames[source], count) for source, count in zip(present, counts, strict=True)]
            enough = [share.source for share in shares if 0 < share.take <= len(share.frames)]
            if enough == present:
                return shares
            present = enough
        return []

    def check(self, batch: int) -> None:
        """Raise UserError where one of several sources cannot fill its share of a batch."""
        if not self.several:
            return  # too few for a whole batch: the phase that needs it says so
        for dataset, title, count in zip(self.datasets, self.titles, _even(batch, len(self.titles)), strict=True):
            if len(dataset) < count:
                raise UserError(
                    f"The source '{title}' in {dataset.root} has {len(dataset)} frames, and a batch takes "
                    f"{count} of each source: give it more frames, leave it out, or lower --recipe.batch."
                )


def _even(batch: int, among: int) -> list[int]:
    """A batch in parts that differ by one at most, the larger ones first."""
    each, rest = divmod(batch, among)
    return [each + (number < rest) for number in range(among)]


def _numbered(titles: list[str]) -> list[str]:
    """The same titles, those that occur more than once with a number."""
    total, seen = Counter(titles), Counter[str]()
    numbered = []
    for title in titles:
        seen[title] += 1
        numbered.append(f"{title}-{seen[title]}" if total[title] > 1 else title)
    return numbered
