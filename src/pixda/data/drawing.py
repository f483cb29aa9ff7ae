"""One image to load, and how a loader goes about it: the crop, the flip, and errors that reach the user whole."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pixda.data.dataset import Sample, SegmentationDataset
from pixda.data.transforms import flip, random_crop
from pixda.errors import UserError


class Draw(NamedTuple):
    """One image to load: its place in the dataset (of the sources: in all), and the seed of its crop and flip."""

    place: int
    seed: int


Loaded = tuple[Tensor, Tensor, list[str]] | list["Sample | UserError"]


class Drawn(Dataset["Sample | UserError"]):
    """A dataset asked by :class:`Draw`; a seed below zero means: whole and unmirrored."""

    def __init__(self, dataset: Dataset[Sample], crop: tuple[int, int] | None, mirror: bool) -> None:
        self._dataset, self._crop, self._mirror = dataset, crop, mirror

    def __getitem__(self, draw: Draw) -> "Sample | UserError":
        try:
            sample = self._dataset[draw.place]
        except UserError as error:
            return error  # raised in a worker it would reach the user buried in two tracebacks
        if draw.seed < 0:
            return sample
        generator = torch.Generator().manual_seed(draw.seed)
        if self._crop is not None:
            sample = random_crop(sample, self._crop, generator)
        return flip(sample, generator) if self._mirror else sample


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
