"""Decoding picture files, with errors that name the file."""

import io
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from pixda.errors import UserError
from pixda.reading import one_line

# Pillow's name of each format that is read, and the endings of its files. Pillow knows some fifty formats more, of
# which one runs another program to draw the file.
_FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
}
IMAGE_SUFFIXES = tuple(suffix for suffixes in _FORMATS.values() for suffix in suffixes)
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
"""Endings of the formats that keep every number as it was written."""

_CHANNELS = {"1": "grey", "L": "grey", "I": "grey", "P": "palette", "LA": "grey and alpha"}
_MOST_PIXELS = 1 << 27  # 16384 x 8192; a file of a few kilobytes can unpack to any number


def read_image(path: Path) -> Image.Image:
    """Decode an image to 8-bit RGB, upright as its camera says (EXIF). Raises UserError naming one that is damaged."""
    image = _decoded(path, "image", "RGB")
    if image.mode.startswith(("I", "F")):
        raise UserError(f"The image {path} has 16 or more bits a channel; save it with 8.")
    with suppress(Exception):  # damaged camera data beside a picture that is whole: it stays as it lies
        image = ImageOps.exif_transpose(image)
    return image


def turned(path: Path) -> bool:
    """Whether an image file is stored in another orientation than it is shown in (EXIF orientation 2 to 8)."""
    return _orientation(path) != 1


def shown_size(path: Path) -> tuple[int, int] | None:
    """(width, height) that an image is shown at, from its header alone; None where that cannot be read."""
    try:
        with opened(path) as header:
            width, height = header.size
            upright = header.format == "TIFF"  # Pillow gives the size of a TIFF as it is shown
    except Exception:  # whatever is wrong is told when the picture is decoded
        return None
    return (height, width) if not upright and _orientation(path) in (5, 6, 7, 8) else (width, height)


def _orientation(path: Path) -> int:
    """EXIF orientation, 1 (upright) to 8."""
    try:
        with opened(path) as header:
            orientation = header.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged camera data, or no picture: then `read_image` turns nothing either
        return 1
    return orientation if orientation in range(2, 9) else 1


def read_ids(path: Path) -> np.ndarray:
    """Read a mask of label ids (grey, or palette indices as they are) as uint8 (H x W).

    Grey of 1, 2, 4 and 16 bits is taken as the numbers that are stored, an opaque alpha channel is left out.
    Raises UserError naming a file that cannot be decoded or that holds something else than ids.
    """
    mask = _decoded(path, "mask")
    if mask.mode == "1":
        return np.asarray(mask).astype(np.uint8)
    if mask.mode == "LA" and mask.getextrema()[1] == (255, 255):
        return np.asarray(mask.getchannel("L"))
    if mask.mode.startswith("I"):
        ids = np.asarray(mask)
        if ids.max() > 255:
            raise UserError(
                f"The mask {path} holds the number {ids.max()}: label ids are 0 to 255; for 16-bit instance ids "
                "(label id times 1000), divide by 1000 and save 8 bits."
            )
        return ids.astype(np.uint8)
    if mask.mode == "L":
        with opened(path) as header:
            step = {2: 85, 4: 17}.get(_bits(header), 1)  # Pillow spreads the numbers of few bits over 0..255
        return np.asarray(mask) // step if step > 1 else np.asarray(mask)
    if mask.mode != "P":
        raise UserError(
            f"The mask {path} is of the kind '{mask.mode}', not label ids: expected one 8-bit channel "
            "(grey or palette) whose values are ids, not colours; for colours, give the class set a column "
            'that lists them as "#804080".'
        )
    return np.asarray(mask)


def _bits(header: Image.Image) -> int:
    """Bits of one channel in the file of a picture that was opened and is not decoded yet."""
    tiles = getattr(header, "tile", None)
    how = tiles[0][3] if tiles else header.mode  # such as "L;4" or ("RGB;16B", 0, 1)
    found = re.search(r";(\d+)", str(how[0] if isinstance(how, tuple) else how))
    return int(found[1]) if found else 1 if header.mode == "1" else 8


def kind_of(path: Path) -> str:
    """Return bit depth, channels and format of a picture file, such as "16-bit RGB PNG", from its header."""
    with opened(path) as header:
        channels = _CHANNELS.get(header.mode.partition(";")[0], header.mode)
        return f"{_bits(header)}-bit {channels} {header.format}"


def read_colours(path: Path) -> np.ndarray:
    """Read a mask whose colours are the labels (RGB, or a palette's colours) as uint8 (H x W x 3).

    Raises UserError naming a file that cannot be decoded or that is grey.
    """
    mask = _decoded(path, "mask")
    if mask.mode not in ("RGB", "RGBA", "P"):
        raise UserError(
            f"The mask {path} is of the kind '{mask.mode}', but its label scheme lists colours: expected an 8-bit "
            "RGB or palette picture; for grey values, give the class set a column of label ids."
        )
    return np.asarray(mask if mask.mode == "RGB" else mask.convert("RGB"))


def read_palette(path: Path) -> dict[int, str]:
    """The colours of a palette picture, index -> "#rrggbb" of every index that a pixel has; nothing of another kind."""
    picture = _decoded(path, "mask")
    if picture.mode != "P":
        return {}
    colours = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    held = np.flatnonzero(picture.histogram()[: len(colours)])
    return {int(index): "#" + bytes(colours[index]).hex() for index in held}


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
    if path.suffix.lower() in _FORMATS["HEIF"] and "HEIF" not in known_formats():
        raise UserError(f"{path} is a HEIF picture: pip install 'pixda[heif]' reads them, or convert it to JPEG.")
    try:
        with opened(path) as file:
            _check_size(file)
            file.load()
            if mode is None or file.mode == mode or file.mode.startswith(("I", "F")):
                return file
            return file.convert(mode)
    except Exception as error:  # bytes that are not the picture they claim to be fail anywhere in a decoder
        raise UserError(
            f"The {what} {path} cannot be decoded ({one_line(error)}); it may be cut short: fetch it again or remove "
            "the frame."
        ) from error


def opened(path: Path) -> Image.Image:
    """Open a picture of a kind that is read here. Its header is read, its pixels are not."""
    return Image.open(path, formats=known_formats())


@cache
def known_formats() -> tuple[str, ...]:
    """The formats that are read, as far as this Pillow knows them and the extra for HEIF is installed."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    return tuple(kind for kind in _FORMATS if kind in Image.OPEN)


def _check_size(header: Image.Image, most: int = _MOST_PIXELS) -> None:
    """Raise ValueError before a picture is decoded that would fill the memory."""
    if header.width * header.height > most:
        raise ValueError(f"{header.width} x {header.height} pixels, and {most} in all are the most")
