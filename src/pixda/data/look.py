"""What a check needs to know of one frame: its files are decoded once, and everything is taken from that."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from pixda.data.classes import UNKNOWN
from pixda.data.dataset import SegmentationDataset, unequal_sizes
from pixda.data.files import kind_of, read_image, read_palette, turned
from pixda.data.frames import Frame
from pixda.data.labels import Counts
from pixda.errors import UserError

_MOST_UNKNOWN = 256


@dataclass
class Look:
    """What was seen of one frame. Fields about a file that cannot be read keep their defaults."""

    frame: Frame
    problems: list[str] = field(default_factory=list)
    image: str | None = None
    """Size and kind of the image: "480 x 360, 8-bit RGB JPEG"."""
    mask: str | None = None
    """Size and kind of the mask; None without one."""
    counts: Counts | None = None
    """Pixels of the known codes in the mask; None without a mask, or with one of another size than the image."""
    unknown: Counts | None = None
    """Pixels of the codes that the label scheme does not have, of the 256 most frequent of them."""
    unknown_pixels: int = 0
    """Pixels of all unknown codes."""
    digest: str | None = None
    """Hash of the image's size and pixels: equal pictures have equal ones, whatever their files are called."""
    palette: dict[int, str] = field(default_factory=dict)
    """Of a palette mask whose indices are labels: index -> colour, for the indices that occur."""
    turned: bool = False
    """Whether the image is stored turned and shown upright (EXIF)."""
    blank: bool = False
    """Whether all pixels of the image are equal."""
    sample: tuple[Tensor, Tensor] | None = None
    """Image and mask at the dataset's size, where they were asked for and nothing is wrong."""


def look_at(dataset: SegmentationDataset, frame: Frame, sample: bool = False) -> Look:
    """Decode image and mask of one frame as stored. What is wrong is told in `problems`; nothing is raised.

    `sample`: whether the frame's sample is wanted, too, now that its files are decoded.
    """
    look = Look(frame)
    image = raw = None
    try:
        image = read_image(frame.image)
        look.image = f"{image.width} x {image.height}, {kind_of(frame.image)}"
        look.digest = hashlib.blake2b(image.tobytes(), digest_size=16, salt=b"%dx%d" % image.size).hexdigest()
        look.blank = all(low == high for low, high in np.reshape(image.getextrema(), (-1, 2)).tolist())
        look.turned = turned(frame.image)
    except UserError as error:
        look.problems.append(str(error))
    if frame.mask is not None:
        try:
            raw = dataset.read_mask(frame.mask)
            look.mask = f"{raw.shape[1]} x {raw.shape[0]}, {kind_of(frame.mask)}"
            look.palette = {} if dataset.labels.coloured else read_palette(frame.mask)
        except UserError as error:
            look.problems.append(str(error))
    if image is not None and raw is not None and raw.shape[:2] != (image.height, image.width):
        look.problems.append(str(unequal_sizes(frame, image, raw)))
    elif raw is not None:
        found = dataset.labels.count(raw)
        strange = dataset.labels.classes_of(found.codes) == UNKNOWN
        most = np.argsort(-found.pixels[strange], kind="stable")[:_MOST_UNKNOWN]
        look.counts = Counts(found.codes[~strange], found.pixels[~strange])
        look.unknown = Counts(found.codes[strange][most], found.pixels[strange][most])
        look.unknown_pixels = int(found.pixels[strange].sum())
    if sample and image is not None and not look.problems and not look.unknown_pixels:
        look.sample = dataset.resized(frame, image, raw)
    return look
