"""What a check needs to know of one frame: its files are decoded once, and everything is taken from that."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from pixda.data.classes import UNKNOWN
from pixda.data.dataset import SegmentationDataset, unequal_sizes
from pixda.data.files import bits, opened, read_image, read_palette, turned
from pixda.data.frames import Frame
from pixda.data.labels import Counts
from pixda.errors import UserError

_MOST_UNKNOWN = 256
_CHANNELS = {"1": "grey", "L": "grey", "I": "grey", "P": "palette", "LA": "grey and alpha"}


class Look(NamedTuple):
    """What was seen of one frame. Fields about a file that cannot be read are None."""

    frame: Frame
    problems: list[str]
    image: str | None
    """Size and kind of the image: "480 x 360, 8-bit RGB JPEG"."""
    mask: str | None
    """Size and kind of the mask; None without one."""
    counts: Counts | None
    """Pixels of the known codes in the mask; None without a mask."""
    unknown: Counts | None
    """Pixels of the codes that the label scheme does not have, of the 256 most frequent of them."""
    unknown_pixels: int
    """Pixels of all unknown codes."""
    digest: str | None
    """Hash of the image's size and pixels: equal pictures have equal ones, whatever their files are called."""
    palette: dict[int, str]
    """Of a palette mask whose indices are labels: index -> colour, for the indices that occur."""
    turned: bool
    """Whether the image is stored turned and shown upright (EXIF)."""
    blank: bool
    """Whether all pixels of the image are equal."""
    sample: tuple[Tensor, Tensor] | None
    """Image and mask at the dataset's size, where they were asked for and nothing is wrong."""


def look_at(dataset: SegmentationDataset, frame: Frame, sample: bool = False) -> Look:
    """Decode image and mask of one frame as stored; whatever is wrong is told in `problems`, nothing is raised.

    `sample`: whether the frame's sample is wanted, too, now that its files are decoded.
    """
    problems: list[str] = []
    image = raw = counts = unknown = digest = None
    unknown_pixels, blank = 0, False
    try:
        image = read_image(frame.image)
    except UserError as error:
        problems.append(str(error))
    if image is not None:
        digest = hashlib.blake2b(image.tobytes(), digest_size=16, salt=b"%dx%d" % image.size).hexdigest()
        blank = all(low == high for low, high in np.reshape(image.getextrema(), (-1, 2)).tolist())
    if frame.mask is not None:
        try:
            raw = dataset.read_mask(frame.mask)
        except UserError as error:
            problems.append(str(error))
    if raw is not None:
        found = dataset.labels.count(raw)
        strange = dataset.labels.classes_of(found.codes) == UNKNOWN
        counts = Counts(found.codes[~strange], found.pixels[~strange])
        most = np.argsort(-found.pixels[strange], kind="stable")[:_MOST_UNKNOWN]
        unknown = Counts(found.codes[strange][most], found.pixels[strange][most])
        unknown_pixels = int(found.pixels[strange].sum())
        if image is not None and raw.shape[:2] != (image.height, image.width):
            problems.append(str(unequal_sizes(frame, image, raw)))
            counts = unknown = None
            unknown_pixels = 0
    good = image is not None and not problems and not unknown_pixels
    return Look(
        frame,
        problems,
        None if image is None else f"{image.width} x {image.height}, {kind_of(frame.image)}",
        None if raw is None or frame.mask is None else f"{raw.shape[1]} x {raw.shape[0]}, {kind_of(frame.mask)}",
        counts,
        unknown,
        unknown_pixels,
        digest,
        {} if raw is None or frame.mask is None or dataset.labels.coloured else read_palette(frame.mask),
        image is not None and turned(frame.image),
        blank,
        dataset.resized(frame, image, raw) if sample and good and image is not None else None,
    )


def kind_of(path: Path) -> str:
    """Return bit depth, channels and format of a picture file, such as "16-bit RGB PNG", from its header."""
    with opened(path) as header:
        channels = _CHANNELS.get(header.mode.partition(";")[0], header.mode)
        return f"{bits(header)}-bit {channels} {header.format}"
