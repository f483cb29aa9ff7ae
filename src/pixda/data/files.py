"""Finding and decoding picture files, with errors that name the file."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pixda.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# Of the fifty formats that Pillow knows, one runs another program to draw the file.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_MOST_PIXELS = 1 << 27  # 16384 x 8192; a file of a few kilobytes can unpack to any number


def find_files(folder: Path, suffixes: Sequence[str], ending: str = "") -> dict[str, Path]:
    """Return the files right in `folder` by stem less `ending`; hidden files and other endings are left out.

    A folder that is not there holds none. Raises UserError for one stem with two suffixes.
    """
    found: dict[str, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        stem = path.stem
        if path.name.startswith(".") or path.suffix.lower() not in suffixes or not stem.endswith(ending):
            continue
        stem = stem.removesuffix(ending)
        if stem in found:
            raise UserError(f"{found[stem]} and {path.name} are two files for one frame; remove one of them.")
        found[stem] = path
    return found


def find_files_by_city(folder: Path, suffixes: Sequence[str], ending: str = "") -> dict[str, Path]:
    """Return the files in `folder` by stem, and those in its sub-folders by "<sub-folder>/<stem>"."""
    found = find_files(folder, suffixes, ending)
    for city in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not city.name.startswith("."):
            inside = find_files(city, suffixes, ending)
            found |= {f"{city.name}/{stem}": path for stem, path in inside.items()}
    return found


def read_image(path: Path) -> Image.Image:
    """Decode an image to 8-bit RGB. Raises UserError naming a file that cannot be decoded."""
    image = _decoded(path, "image", "RGB")
    if image.mode.startswith(("I", "F")):
        raise UserError(f"The image {path} has 16 or more bits a channel; save it with 8.")
    return image


def read_ids(path: Path) -> np.ndarray:
    """Read a mask of label ids (8-bit grey, or palette indices as they are) as uint8 (H x W).

    Raises UserError naming a file that cannot be decoded or that holds something else than ids.
    """
    mask = _decoded(path, "mask")
    if mask.mode not in ("L", "P"):
        raise UserError(
            f"The mask {path} is of the kind '{mask.mode}', not label ids: expected one 8-bit channel "
            "(grey or palette PNG) whose values are ids, not colours; for colours, give the class set a column "
            'that lists them as "#804080".'
        )
    return np.asarray(mask)


def read_colours(path: Path) -> np.ndarray:
    """Read a mask whose colours are the labels (RGB, or a palette's colours) as uint8 (H x W x 3).

    Raises UserError naming a file that cannot be decoded or that is grey.
    """
    mask = _decoded(path, "mask")
    if mask.mode not in ("RGB", "RGBA", "P"):
        raise UserError(
            f"The mask {path} is of the kind '{mask.mode}', but its label scheme lists colours: expected an 8-bit "
            "RGB or palette PNG; for grey values, give the class set a column of label ids."
        )
    return np.asarray(mask if mask.mode == "RGB" else mask.convert("RGB"))


def read_channels(path: Path) -> np.ndarray:
    """Read a mask with its channels and bits as stored, in the order RGB or RGBA: H x W x 3 or 4, or H x W.

    Pillow would cut 16 bits to the upper 8. Raises UserError naming a file that cannot be decoded.
    """
    try:
        with Image.open(path, formats=("PNG",)) as header:
            _check_size(header, _MOST_PIXELS // 4)  # of more bytes each, and copied
        # Bytes first: OpenCV itself cannot open every path on every system.
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except Exception:  # a missing, an empty file, and all that the decoders raise
        pixels = None
    if pixels is None:
        raise UserError(f"The mask {path} cannot be decoded; it may be cut short: fetch it again or remove the frame.")
    if pixels.ndim == 2:
        return np.asarray(pixels)
    return np.concatenate([pixels[:, :, 2::-1], pixels[:, :, 3:]], axis=2)  # OpenCV gives BGR


def packed_mask(mask: np.ndarray) -> bytes:
    """A mask of class indices, uint8 (H x W), as the bytes of a PNG: far fewer, and nothing is lost."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


def unpacked_mask(png: bytes) -> np.ndarray:
    """The mask that `packed_mask` was given."""
    with Image.open(io.BytesIO(png)) as file:
        return np.array(file)


def _decoded(path: Path, what: str, mode: str | None = None) -> Image.Image:
    """The picture in a file, in 8 bits of a mode where one is given and the file has no more."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            _check_size(file)
            file.load()
            if mode is None or file.mode == mode or file.mode.startswith(("I", "F")):
                return file
            return file.convert(mode)
    except Exception as error:  # bytes that are not the picture they claim to be fail anywhere in a decoder
        raise UserError(
            f"The {what} {path} cannot be decoded ({error}); it may be cut short: fetch it again or remove the frame."
        ) from error


def _check_size(header: Image.Image, most: int = _MOST_PIXELS) -> None:
    """Raise ValueError before a picture is decoded that would fill the memory."""
    if header.width * header.height > most:
        raise ValueError(f"{header.width} x {header.height} pixels, and {most} in all are the most")
