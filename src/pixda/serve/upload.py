"""Reads uploaded images, and refuses files that are too large or damaged."""

import warnings
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pixda.data.files import known_formats, opened
from pixda.errors import UserError
from pixda.evaluation import resized
from pixda.predict.inputs import load_image

BYTES = 20 * 2**20
"""Largest file that is accepted."""
PIXELS = 50_000_000
"""Pixels of the largest image that is accepted."""
_SIDE = 2048  # pixels; larger images are shrunk, since their prediction would take gigabytes


def read_upload(path: Path) -> Tensor:
    """Decode an upload: uint8 ``3 x H x W``, RGB, no side longer than 2048.

    Raises:
        UserError: the file is no image of a known kind, too large, or damaged. Its folder is not named.
    """
    if path.stat().st_size > BYTES:
        raise UserError(f"{path.name} is larger than {BYTES >> 20} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is lower
            with opened(path) as file:  # reads the header only
                width, height = file.size
    except Image.DecompressionBombError:
        raise UserError(f"{path.name} would be far too large once it is decoded.") from None
    except Exception:  # Pillow raises many kinds for bytes that are no image
        raise UserError(f"{path.name} is no image that can be read here ({', '.join(known_formats())}).") from None
    if width * height > PIXELS:
        raise UserError(
            f"{path.name} has {width} x {height} pixels, more than the {PIXELS // 1_000_000} million allowed here."
        )
    try:
        image = load_image(path)
    except UserError as error:
        if "bits a channel" in str(error):
            raise UserError(f"{path.name} has 16 or more bits a channel; save it with 8.") from None
        raise UserError(f"{path.name} cannot be decoded to its end; it may be cut short.") from None
    _, height, width = image.shape
    larger = max(height, width) / _SIDE
    if larger <= 1:
        return image
    return resized(image, (max(round(width / larger), 1), max(round(height / larger), 1))).to(torch.uint8)
