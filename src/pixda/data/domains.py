"""The streams of training: labelled source frames, the few labelled target frames (shots), unlabelled ones.

What is drawn, in which order and with which crop is a pure function of (seed, phase, epoch), so a resumed run sees
what the unbroken one would have seen. Batches are those of all processes together: each loads its part of every one,
and neither the number of processes nor that of loader workers changes what a step learns from.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from pixda.data.config import Augmentation
from pixda.data.dataset import Sample, SegmentationDataset
from pixda.data.drawing import Drawn, Draws, InMemory, collate
from pixda.data.loading import Unreadable, loaded_batches, replace_unreadable
from pixda.data.sources import Sources
from pixda.errors import UserError

_NOTHING = torch.empty(0)


class Batch(NamedTuple):
    """Images float32 ``B x 3 x H x W``, RGB, 0..255; masks int64 ``B x H x W``, class indices or 255; names."""

    images: Tensor
    masks: Tensor
    names: list[str]


class StepBatch(NamedTuple):
    """What one step learns from; a stream that the phase does not use is None."""

    source: Batch | None
    target: Batch | None
    unlabelled: Batch | None = None
    """Target images beside the shots, where a run has such; their masks are 255 everywhere."""

    def without_pixels(self) -> "StepBatch":
        """The same batch without pixels, small enough to keep."""
        return StepBatch(*(batch and batch._replace(images=_NOTHING, masks=_NOTHING) for batch in self))

    def labelled_source(self) -> Batch:
        """The source batch of a phase that has one."""
        if self.source is None:
            raise ValueError("this phase was given no source batch")
        return self.source

    def labelled_target(self) -> Batch:
        """The target batch of a phase that has one."""
        if self.target is None:
            raise ValueError("this phase was given no target batch")
        return self.target

    def unlabelled_target(self) -> Batch:
        """The unlabelled batch of a phase that has one."""
        if self.unlabelled is None:
            raise ValueError("this phase was given no unlabelled batch")
        return self.unlabelled


@dataclass
class Domains:
    """The data streams of a run, and the batches drawn from them.

    Attributes:
        source: the labelled source, at its training size.
        target: the shots, at the same size.
        seed: of the order and the crops.
        device: where batches are put.
        crop: (width, height) of a random crop, for both domains; None trains on whole images.
        flip: whether half of the images are mirrored.
        workers: loader processes a stream.
        rank: number of this process.
        world: number of processes; each takes every ``world``-th image of a batch, so that of several sources all
            have about as many.
        unlabelled: target images without masks, at the same size; None in a run without.
        more_sources: further labelled sources, at the same size, that share every source batch with the first.
        unreadable: the files that turned unreadable, and how many may.
        augmentation: random scale, colour, blur and noise of all training images.
        sources: all of them behind one numbering.
    """

    source: SegmentationDataset
    target: SegmentationDataset
    seed: int
    device: torch.device
    crop: tuple[int, int] | None = None
    flip: bool = False
    workers: int = 0
    rank: int = 0
    world: int = 1
    unlabelled: SegmentationDataset | None = None
    more_sources: Sequence[SegmentationDataset] = ()
    unreadable: Unreadable = field(default_factory=Unreadable)
    augmentation: Augmentation = field(default_factory=Augmentation)
    sources: Sources = field(init=False)

    def __post_init__(self) -> None:
        self.sources = Sources([self.source, *self.more_sources])
        # A handful of frames is asked for again and again: decoded once.
        self._shots = InMemory(self.target)

    @property
    def source_names(self) -> list[str]:
        """Names of all source frames; see ``Sources``."""
        return self.sources.names

    def datasets(self) -> list[SegmentationDataset]:
        """All datasets that training reads."""
        unlabelled = [] if self.unlabelled is None else [self.unlabelled]
        return [*self.sources.datasets, self.target, *unlabelled]

    def source_only(self, names: Sequence[str], batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over these source images, the last short batch left out."""
        for images in self._load(self.sources, self._pass_over(names, batch, phase, epoch), skip):
            yield StepBatch(images, None)

    def target_only(self, steps: int, batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """``steps`` batches of shots, every shot drawn once before any is drawn again."""
        for images in self._load(self._shots, self._repeat(self.target, "target", steps, batch, phase, epoch), skip):
            yield StepBatch(None, images)

    def source_and_target(
        self, names: Sequence[str], batch: int, phase: str, epoch: int, skip: int
    ) -> Iterator[StepBatch]:
        """One pass over these source images, each batch beside one of shots; nothing if they fill no batch.

        Where there are unlabelled images, a batch of them comes third, drawn as the shots are: in one pass over
        the source, every one once before any again.
        """
        source = self._pass_over(names, batch, phase, epoch)
        target = self._repeat(self.target, "target", len(source), batch, phase, epoch)
        loaded = [self._load(self.sources, source, skip), self._load(self._shots, target, skip)]
        if self.unlabelled is not None:
            unlabelled = self._repeat(self.unlabelled, "unlabelled", len(source), batch, phase, epoch)
            loaded.append(self._load(self.unlabelled, unlabelled, skip))
        for batches in zip(*loaded, strict=True):
            yield StepBatch(*batches)

    def concatenated(self, batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One pass over source and shots as one set, every image drawn alike; both kinds come as ``source``.

        Each image gets a shot as ``target``, whose style it may be given; a shot gets itself, which changes nothing.
        """
        rng = self._rng(phase, epoch, "concatenated")
        of_source, of_target = len(self.sources), len(self.target.frames)
        count = of_source + of_target
        mixed = self._cut(rng.permutation(count), count // batch, batch, rng)
        shots = self._repeat(self.target, "target", len(mixed), batch, phase, epoch)
        from_source = mixed.places < of_source
        beside = Draws(
            np.where(from_source, shots.places, mixed.places - of_source),
            np.where(from_source, shots.seeds, mixed.seeds),
            batch,
        )
        both = ConcatDataset[Sample]([self.sources, self._shots])
        yield from map(StepBatch, self._load(both, mixed, skip), self._load(self._shots, beside, skip))

    def whole_pairs(self, names: Sequence[str], batch: int, phase: str, epoch: int) -> Iterator[tuple[Batch, Batch]]:
        """Each of these source images once, whole and in order, beside a target image drawn at random.

        Processes share them: each has a part.
        """
        rng = self._rng(phase, epoch, "whole")
        source = Draws.whole(self.sources.places(names), batch)
        target = Draws.whole(rng.integers(len(self.target.frames), size=len(names)), batch)
        yield from zip(self._load(self.sources, source), self._load(self._shots, target), strict=True)

    def whole(self, stream: Literal["target", "unlabelled"], batch: int) -> Iterator[Batch]:
        """Every target image of a stream once, whole and in order, the last short batch too; none without a stream.

        Processes share them: each has a part.
        """
        dataset = self.target if stream == "target" else self.unlabelled
        if dataset is not None:
            yield from self._load(dataset, Draws.whole(np.arange(len(dataset)), batch))

    # ---- what is in them

    def contents(self) -> dict[str, str]:
        """Stream -> number of frames and a hash of their names: what the order of the data depends on."""
        streams = {"source": self.source_names}
        for stream, dataset in (("target", self.target), ("unlabelled", self.unlabelled)):
            if dataset is not None:
                streams[stream] = [frame.name for frame in dataset.frames]
        return {
            stream: f"{len(names)} frames, {zlib.crc32(chr(0).join(names).encode()):08x}"
            for stream, names in streams.items()
        }

    def files(self, pair: StepBatch) -> dict[str, list[str]]:
        """Stream -> image files of a pair's batches; of a name that both domains have, both files."""
        images: dict[str, list[str]] = {}
        for place, name in enumerate(self.source_names):
            images.setdefault(name, []).append(str(self.sources.frame(place).image))
        for dataset in (self.target, self.unlabelled):
            for frame in dataset.frames if dataset is not None else ():
                images.setdefault(frame.name, []).append(str(frame.image))
        batches = {stream: batch for stream, batch in pair._asdict().items() if batch is not None}
        return {stream: [file for name in batch.names for file in images[name]] for stream, batch in batches.items()}

    # ---- which images, in which order

    def _rng(self, phase: str, epoch: int, stream: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(phase.encode()), epoch, zlib.crc32(stream.encode())])

    def _pass_over(self, names: Sequence[str], batch: int, phase: str, epoch: int) -> Draws:
        """Batches of all sources, as many as it takes to draw every image of the longest one once."""
        shares = self.sources.shares(names, batch)
        steps = max((len(share.frames) // share.take for share in shares), default=0)
        # The first source draws as a lone one does.
        streams = ["source" if share.source == 0 else f"source {share.source}" for share in shares]
        return Draws.beside(
            [
                self._rounds(share.frames, stream, steps, share.take, phase, epoch)
                for share, stream in zip(shares, streams, strict=True)
            ]
        )

    def _repeat(
        self, dataset: SegmentationDataset, stream: str, steps: int, batch: int, phase: str, epoch: int
    ) -> Draws:
        return self._rounds(np.arange(len(dataset)), stream, steps, batch, phase, epoch)

    def _rounds(self, places: np.ndarray, stream: str, steps: int, batch: int, phase: str, epoch: int) -> Draws:
        """``steps`` batches; every image is drawn once before any is drawn again."""
        rng = self._rng(phase, epoch, stream)
        rounds = -(-steps * batch // len(places))
        indices = np.concatenate([rng.permutation(places) for _ in range(rounds)] or [np.arange(0)])
        return self._cut(indices, steps, batch, rng)

    def _cut(self, indices: np.ndarray, steps: int, batch: int, rng: np.random.Generator) -> Draws:
        """Batches of these, each image with the seed of its crop."""
        indices = indices[: steps * batch]
        return Draws(indices, rng.integers(2**62, size=len(indices)), batch)

    # ---- loading them

    def _load(self, dataset: Dataset[Sample], draws: Draws, skip: int = 0) -> Iterator[Batch]:
        mine = draws.part(self.rank, self.world)
        drawn = Drawn(dataset, self.crop, self.flip, self.augmentation)
        loader: DataLoader[Sample | UserError] = DataLoader(
            drawn,
            batch_sampler=mine.after(skip),
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            # A generator of its own: making a loader must not advance the run's random state.
            generator=torch.Generator(),
        )
        for number, loaded in enumerate(loaded_batches(loader), skip):
            if isinstance(loaded, list):
                loaded = collate(replace_unreadable(loaded, drawn, list(mine), number, self.unreadable))
            assert not isinstance(loaded, list)
            images, masks, names = loaded
            yield Batch(
                images.to(self.device, non_blocking=True).float(),
                masks.to(self.device, non_blocking=True).long(),
                names,
            )
