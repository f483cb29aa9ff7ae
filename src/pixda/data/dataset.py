"""Base of all datasets: pairs of image and mask files become samples of one size and class set."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from pixda.data.classes import IGNORE, UNKNOWN, ClassSet
from pixda.data.files import read_image, turned, unpacked_mask
from pixda.data.frames import Frame, Frames
from pixda.data.search import Search
from pixda.data.stored import Stored
from pixda.errors import UserError

_NAMED_CODES = 12


class Sample(NamedTuple):
    """One decoded frame."""

    image: Tensor
    """uint8, 3 x H x W, RGB, 0..255."""
    mask: Tensor
    """uint8, H x W, class indices; 255 = ignore (everywhere, where the frame has no mask)."""
    name: str
    city: str


class SegmentationDataset(Dataset[Sample], ABC):
    """Images with masks of class indices. A subclass says where the files lie and how they are labelled.

    `size` is (width, height) of every sample; None leaves each as it is stored. An image without a mask, a mask
    without an image, or a file that cannot be used is an error; with `strict=False` it is left out and reported in
    `problems`.
    """

    scheme: str
    """Label scheme of the masks: a column of the class set."""
    layout: str
    """Where one frame lies below the root, for error texts; may hold {split}."""
    splits: tuple[str, ...] = ()
    """Splits there are; empty where the user names them."""
    given_masks: Mapping[str, bytes] | None = None
    """Masks that are used instead of the files: see `with_masks`."""
    stored: Stored | None = None
    """Samples that were decoded before and are read instead of the frames' files: see `pixda.data.cache`."""

    def __init__(
        self,
        root: Path,
        split: str,
        classes: ClassSet,
        size: tuple[int, int] | None = None,
        *,
        strict: bool = True,
    ) -> None:
        self.root, self.split, self.classes, self.size = Path(root).expanduser(), split, classes, size
        self.strict = strict
        self.search = Search(strict)
        """Finds the files, and tells what it left out."""
        self.unpaired: list[str] = []
        """A sentence for images without masks, one for masks without images; empty where all have partners."""
        if self.splits and split not in self.splits:
            raise UserError(f"{self.title} has no split '{split}': choose from {', '.join(self.splits)}.")
        self.labels = classes.labels(self.scheme)
        self.frames = Frames(self.root, sorted(self.find()))
        """Sorted by name; a `subset` keeps the order it was given."""
        if not self.frames:
            raise UserError(self.problems[0] if self.problems else self._no_frames())

    @property
    def title(self) -> str:
        """Name of the dataset in messages."""
        return type(self).__name__

    @property
    def problems(self) -> list[str]:
        """What is wrong with the files as they lie there; empty in a strict dataset, which cannot be opened then."""
        return [*self.search.mistakes, *self.unpaired]

    @abstractmethod
    def find(self) -> list[Frame]:
        """Return all frames of the split, in any order; an empty list where the layout is not there."""

    def read_mask(self, path: Path) -> np.ndarray:
        """Return the raw mask of one file: uint8, H x W of label ids, or H x W x 3 of colours."""
        return self.labels.read(path)

    def subset(self, names: Sequence[str]) -> Self:
        """Return this dataset restricted to `names`, in that order; a repeated name is a repeated sample."""
        places = {frame.name: index for index, frame in enumerate(self.frames)}
        unknown = [name for name in names if name not in places]
        if unknown:
            raise UserError(
                f"{self.title} in {self.root} (split '{self.split}') has no frame '{unknown[0]}'"
                f"{_and_more(len(unknown) - 1)}; its names look like '{self.frames[0].name}'."
            )
        if not names:
            raise UserError(f"{self.title} in {self.root}: an empty list of frames was asked for.")
        chosen = copy.copy(self)
        indices = [places[name] for name in names]
        chosen.frames = self.frames.take(indices)
        if self.stored is not None:
            chosen.stored = self.stored.take(indices)
        return chosen

    def without_masks(self) -> Self:
        """Return this dataset without its masks: every sample's mask is 255 everywhere."""
        unlabelled = copy.copy(self)
        unlabelled.frames = self.frames.without_masks()
        return unlabelled

    def with_masks(self, masks: Mapping[str, bytes]) -> Self:
        """Return this dataset with other masks in place of its own, such as pseudo-labels.

        Args:
            masks: frame name -> PNG of class indices (see `packed_mask`), at the samples' size.
        """
        other = self.without_masks()
        other.given_masks = masks
        return other

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        """One frame at the dataset's size, from its files or as it was stored.

        Raises UserError naming the file: undecodable, of unequal size, or with an id outside the class set.
        """
        frame = self.frames[index]
        image, mask = self.decoded(frame) if self.stored is None else self.stored[index]
        if self.given_masks is not None:
            if frame.name not in self.given_masks:
                raise UserError(f"{frame.image} has no pseudo-labels: it could not be read when they were made.")
            mask = torch.from_numpy(unpacked_mask(self.given_masks[frame.name]))
        elif frame.mask is None:
            mask = torch.full(image.shape[1:], IGNORE, dtype=torch.uint8)
        return Sample(image, mask, frame.name, frame.city)

    def decoded(self, frame: Frame) -> tuple[Tensor, Tensor]:
        """Image and mask of a sample, from the frame's files; without a mask, all of it is ignored."""
        image = read_image(frame.image)
        raw = None if frame.mask is None else self.read_mask(frame.mask)
        if raw is not None and raw.shape[:2] != (image.height, image.width):
            raise unequal_sizes(frame, image, raw)
        return self.resized(frame, image, raw)

    def resized(self, frame: Frame, image: Image.Image, raw: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """Image and mask of a sample: image bicubic, mask nearest, raw ids to class indices."""
        if self.size is not None and image.size != self.size:
            image = image.resize(self.size, Image.Resampling.BICUBIC)
            if raw is not None:
                raw = np.asarray(Image.fromarray(raw).resize(self.size, Image.Resampling.NEAREST))
        if raw is None:
            mask = np.full((image.height, image.width), IGNORE, np.uint8)
        else:
            mask = self.labels.decode(raw)
            if (mask == UNKNOWN).any():
                codes = self.labels.count(raw).codes
                unknown = codes[self.labels.classes_of(codes) == UNKNOWN]
                raise UserError(f"{frame.mask} holds {self.unknown_ids(unknown.tolist())}")
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous(), torch.from_numpy(mask)

    def unknown_ids(self, codes: Sequence[int]) -> str:
        """Return the end of the sentence that says which ids or colours are not in the class set, and what to do."""
        kind = "colour" if self.labels.coloured else "label id"
        named = ", ".join(self.labels.shown(code) for code in codes[:_NAMED_CODES])
        return (
            f"the {kind}{'s' if len(codes) > 1 else ''} {named}{_and_more(len(codes) - _NAMED_CODES)}, which the class "
            f"set '{self.classes.name}' does not list for the label scheme '{self.scheme}'; give each to a class "
            "or to 'ignore' in its YAML file, or choose the scheme that the masks were written in"
        )

    def paired(self, images: Mapping[str, Path], masks: Mapping[str, Path]) -> list[Frame]:
        """Return a frame for each name that has both an image and a mask, with its folders as its city.

        A file without its partner is an error in a strict dataset; otherwise it is added to `unpaired`.
        """
        for have, want, what, other in ((images, masks, "image", "mask"), (masks, images, "mask", "image")):
            alone = sorted(have.keys() - want.keys())
            if alone:
                self.unpaired.append(
                    f"{self.title} in {self.root}, split '{self.split}': {len(alone)} of {len(have)} {what}s "
                    f"have no {other}, first {have[alone[0]]}. A frame lies at {self._example()}. "
                    f"Complete the download, or remove those {what}s."
                )
                if self.strict:
                    raise UserError(" ".join([self.unpaired[0], *self.search.remarks]))
        return [Frame(name, city_of(name), images[name], masks[name]) for name in images.keys() & masks.keys()]

    def _no_frames(self) -> str:
        if not self.root.is_dir():
            found = "that folder does not exist"
        else:
            entries = sorted(entry.name for entry in self.root.iterdir())
            found = f"found there: {', '.join(entries[:8]) or 'nothing'}{_and_more(len(entries) - 8)}"
        what = f"{self.title} has no frames for split '{self.split}' in {self.root}: {found}"
        return " ".join([f"{what}; expected a frame at {self._example()}.", *self.search.remarks])

    def _example(self) -> str:
        return self.layout.format(split=self.split)


def city_of(name: str) -> str:
    """Return the folders in a frame's name ("rome" of "rome/a"), or "all" where there are none."""
    return name.rpartition("/")[0] or "all"


def unequal_sizes(frame: Frame, image: Image.Image, raw: np.ndarray) -> UserError:
    """Return the error for a pair whose image and raw mask (H x W, or H x W x 3) are not of one size."""
    if raw.shape[:2] == (image.width, image.height) and turned(frame.image):
        return UserError(
            f"{frame.image} is shown turned (EXIF orientation), then {image.width} x {image.height}, and "
            f"{frame.mask} was drawn on it as it is stored: turn the mask likewise, or save the image without its "
            "orientation."
        )
    return UserError(
        f"Image and mask differ in size: {frame.image} is {image.width} x {image.height}, "
        f"{frame.mask} is {raw.shape[1]} x {raw.shape[0]} (width x height); replace the pair "
        "or remove it."
    )


def _and_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
