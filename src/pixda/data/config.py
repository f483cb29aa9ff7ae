"""The data section of a config: source and target. Must not import torch: ``pixda --help`` reads it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DatasetName = Literal["gta5", "synthia", "idda", "urbansyn", "synscapes", "streets", "cityscapes", "camvid", "folder"]


@dataclass(frozen=True)
class StreetOptions:
    """The built-in street world, rendered where it is missing (only for dataset: streets)."""

    count: int = 1500
    """Frames."""
    seed: int = 0
    """Another seed is another world."""
    gap: float = 0.0
    """Layout gap of the rendered domain, 0..1: camera height, pitch and street plans far from the target's."""
    size: tuple[int, int] = (480, 360)
    """(width, height) of a frame, pixels."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images, beside crop and flip; the paper has none. Any method takes them."""

    scale: tuple[float, float] | None = None
    """Show the scene smaller or larger by a factor between these two, such as [0.7, 1.6]."""
    colour: float = 0.0
    """Strength 0..1 of changes of brightness, contrast, saturation and hue; 0.3 is a good deal."""
    blur: float = 0.0
    """Share 0..1 of the images that are blurred a little."""
    noise: float = 0.0
    """Noise of at most this standard deviation, in levels of 0..255."""


@dataclass(frozen=True)
class Data:
    """A set of frames."""

    dataset: DatasetName
    """Layout of the files: one of the known datasets, or any folder of images and masks."""
    root: Path
    """Folder that holds the dataset."""
    split: str = "train"
    """Part of it: 'all' for folders without split folders, 'rendered' for streets, 'all' or one scenario for idda."""
    scheme: str | None = None
    """For dataset: folder, the column of the class set that its label ids or colours follow."""
    streets: StreetOptions = field(default_factory=StreetOptions)
    """For dataset: streets, what to render."""


@dataclass(frozen=True)
class Target(Data):
    """The real frames: a few labelled ones to learn from (shots), and a labelled set to score on."""

    shots: int | Literal["all"] = 1
    """Labelled frames of each city; all: every labelled frame of the split."""
    shots_in_total: bool = False
    """Draw so many frames in all, spread over the cities, instead of so many of each."""
    shot_list: Literal["drawn", "published", "suggested"] | Path = "drawn"
    """Draw them with the run's seed, take the published Cityscapes list (1 to 5 shots), let the model of start_from
    choose typical frames as `pixda suggest` does (needs labels of all frames: to see what that is worth), or read a
    manifest file."""
    test_split: str | None = "val"
    """The split that is scored, once, at the end; null: there is none, the run leaves a model without a score."""
