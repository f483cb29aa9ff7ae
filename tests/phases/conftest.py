"""Phases on one small pair of domains, with a real Fabric on the CPU."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from pixda.data.classes import ClassSet
from pixda.data.domains import Batch, StepBatch
from pixda.data.frames import Frame, Frames
from pixda.data.sources import Sources
from pixda.models import build_segmenter
from pixda.phases.phase import Context

CLASSES = 4


@dataclass
class Book:
    """A reporter that remembers."""

    results: list = field(default_factory=list)
    counts: list = field(default_factory=list)
    gone: list = field(default_factory=list)

    def selected(self, result):
        self.results.append(result)

    def scoring(self, done, total):
        self.counts.append((done, total))

    def dropped(self, source):
        self.gone.append(source)

    def labelled(self, images, share):
        self.results.append((images, share))

    def labelling(self, done, total):
        self.counts.append((done, total))


class InName:
    """A source of which the phases see no more than the names."""

    def __init__(self, title, names):
        self.title = title
        self.frames = Frames(Path(), [Frame(name, "all", Path(name), None) for name in names])


@dataclass
class Streams:
    """Two batches in memory in place of files: what the phases ask of Domains."""

    pair: StepBatch
    sources: Sources = None
    world = 1

    def __post_init__(self):
        self.sources = self.sources or Sources([InName("synthetic", self.pair.source.names)])

    @property
    def source_names(self):
        return self.sources.names

    def source_and_target(self, names, batch, phase, epoch, skip):
        return iter([self.pair][skip:] if len(names) >= batch else [])

    def whole_pairs(self, names, batch, phase, epoch):
        for index, name in enumerate(self.pair.source.names):
            if name in names:
                cut = slice(index, index + 1)
                source = Batch(self.pair.source.images[cut], self.pair.source.masks[cut], [name])
                yield source, Batch(self.pair.target.images[cut], self.pair.target.masks[cut], ["t"])


def random_batch(seed: int, prefix: str) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, 32, 48, generator=generator) * 255
    masks = torch.randint(0, CLASSES, (2, 32, 48), generator=generator)
    masks[:, :2] = 255
    return Batch(images, masks, [f"{prefix}{number}" for number in range(2)])


@pytest.fixture
def pair():
    return StepBatch(random_batch(1, "s"), random_batch(2, "t"))


@pytest.fixture
def trio(pair):
    """The pair beside unlabelled images."""
    unlabelled = random_batch(3, "u")
    return pair._replace(unlabelled=unlabelled._replace(masks=torch.full_like(unlabelled.masks, 255)))


@pytest.fixture
def classes():
    return ClassSet(
        name="four",
        names=("road", "building", "sky", "car"),
        colours=((0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)),
        protocols={"4": (0, 1, 2, 3)},
        raw_ids={"own": {index: index for index in range(CLASSES)}},
    )


@pytest.fixture
def context(pair, classes):
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1)
    return Context(fabric, Streams(pair), build_segmenter("tiny", classes), Book())
