"""Which images a loader draws, each with the seed of its crop, flip and augmentation."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pixda.data.augmentation import flip, random_crop, recoloured, scaled_crop
from pixda.data.config import Augmentation
from pixda.data.dataset import Sample, SegmentationDataset
from pixda.errors import UserError


class Draw(NamedTuple):
    """One image to load: its index in the dataset (in all sources together) and the seed of its random changes."""

    place: int
    seed: int


class Draws(Sampler[list[Draw]]):
    """Batches of draws, stored as two arrays; the last batch may be short.

    Args:
        places: int64, of all batches one after the other.
        seeds: int64, as many.
        batch: images of one batch.
    """

    def __init__(self, places: np.ndarray, seeds: np.ndarray, batch: int) -> None:
        self.places, self.seeds, self.batch = places, seeds, batch

    @classmethod
    def whole(cls, places: np.ndarray, batch: int) -> "Draws":
        """Draws of images as they are: no crop, no flip."""
        return cls(places, np.full(len(places), -1), batch)

    @classmethod
    def beside(cls, parts: Sequence["Draws"]) -> "Draws":
        """Join the first batches of all parts, the second ones, and so on; all parts have as many full batches."""
        steps = len(parts[0]) if parts else 0
        places = [part.places.reshape(steps, part.batch) for part in parts] or [np.zeros((0, 1), np.int64)]
        seeds = [part.seeds.reshape(steps, part.batch) for part in parts] or [np.zeros((0, 1), np.int64)]
        batch = sum(part.shape[1] for part in places)
        return cls(np.hstack(places).ravel(), np.hstack(seeds).ravel(), batch)

    def after(self, skip: int) -> "Draws":
        """The batches from number `skip` on."""
        return Draws(self.places[skip * self.batch :], self.seeds[skip * self.batch :], self.batch)

    def part(self, rank: int, world: int) -> "Draws":
        """Of every batch each ``world``-th image, from number ``rank`` on; of a short last batch perhaps none."""
        mine = np.arange(len(self.places)) % self.batch % world == rank
        return Draws(self.places[mine], self.seeds[mine], max(1, len(range(rank, self.batch, world))))

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch)

    def __iter__(self) -> Iterator[list[Draw]]:
        for start in range(0, len(self.places), self.batch):
            cut = slice(start, start + self.batch)
            yield list(map(Draw, self.places[cut].tolist(), self.seeds[cut].tolist()))


Loaded = tuple[Tensor, Tensor, list[str]] | list["Sample | UserError"]


class Drawn(Dataset["Sample | UserError"]):
    """A dataset indexed by ``Draw``; a negative seed leaves the image unchanged."""

    def __init__(
        self, dataset: Dataset[Sample], crop: tuple[int, int] | None, mirror: bool, augmentation: Augmentation
    ) -> None:
        self._dataset, self._crop, self._mirror, self._augmentation = dataset, crop, mirror, augmentation

    def __getitem__(self, draw: Draw) -> "Sample | UserError":
        try:
            sample = self._dataset[draw.place]
        except UserError as error:
            return error  # raised in a loader process, it would come wrapped in two tracebacks
        if draw.seed < 0:
            return sample
        generator = torch.Generator().manual_seed(draw.seed)
        changes = self._augmentation
        if changes.scale is not None:
            height, width = sample.mask.shape
            sample = scaled_crop(sample, self._crop or (width, height), changes.scale, generator)
        elif self._crop is not None:
            sample = random_crop(sample, self._crop, generator)
        if self._mirror:
            sample = flip(sample, generator)
        return recoloured(sample, changes, generator)


class InMemory(Dataset[Sample]):
    """The samples of a small dataset, each decoded once (in every loader process)."""

    def __init__(self, dataset: SegmentationDataset) -> None:
        self._dataset = dataset
        self._samples: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        if index not in self._samples:
            self._samples[index] = self._dataset[index]
        return self._samples[index]


def collate(samples: Sequence["Sample | UserError"]) -> Loaded:
    """A batch of images, masks and names; where a file could not be read, the samples as they are."""
    good = [sample for sample in samples if isinstance(sample, Sample)]
    if len(good) < len(samples):
        return list(samples)
    images, masks = torch.stack([s.image for s in good]), torch.stack([s.mask for s in good])
    return images, masks, [s.name for s in good]
