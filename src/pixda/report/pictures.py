"""Pictures for pages and sheets: images, masks in the colours of their classes, maps as heat."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from pixda.data.classes import ClassSet

_CELL = (320, 240)
_WIDEST = 640
"""Pixels: sharp on a phone, and small enough for dozens in one page."""

Kind = Literal["image", "mask", "map"]


@dataclass(frozen=True)
class Shown:
    """A picture in a page."""

    picture: Image.Image
    """At most 640 pixels wide; RGB, or of a mask a palette of class colours."""
    text: str
    """What it shows, for its caption and for who cannot see it."""
    kind: Kind = "image"

    @property
    def uri(self) -> str:
        """The picture itself as an address: the page asks nobody for it."""
        data = io.BytesIO()
        if self.kind == "mask":
            self.picture.save(data, "PNG", optimize=True)
            return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
        self.picture.save(data, "JPEG", quality=82, optimize=True)
        return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def shown(image: Tensor, text: str) -> Shown:
    """An image ``3 x H x W``, RGB, 0..255."""
    return Shown(_fitted(picture(image), Image.Resampling.LANCZOS), text)


def shown_mask(mask: Tensor, classes: ClassSet, text: str) -> Shown:
    """Class indices ``H x W``; 255 is black."""
    indices = Image.fromarray(mask.cpu().numpy(), "P")
    indices.putpalette(classes.palette().tobytes())
    return Shown(_fitted(indices, Image.Resampling.NEAREST), text, "mask")


def shown_map(values: Tensor, most: float, text: str, colours: str = "magma") -> Shown:
    """Values ``H x W`` from 0 to ``most`` (brighter or higher ones look alike) in a colour map of matplotlib."""
    scaled = (values.float() / max(most, 1e-12)).clamp(0, 1).cpu().numpy()
    heat = (mpl.colormaps[colours](scaled)[..., :3] * 255).astype(np.uint8)
    return Shown(_fitted(Image.fromarray(heat), Image.Resampling.NEAREST), text, "map")


def _fitted(full: Image.Image, how: Image.Resampling) -> Image.Image:
    if full.width <= _WIDEST:
        return full
    return full.resize((_WIDEST, max(1, round(full.height * _WIDEST / full.width))), how)


def colourise(mask: Tensor, classes: ClassSet) -> Image.Image:
    """Class indices ``H x W`` (255 is black) in the colours of the class set."""
    return Image.fromarray(classes.palette()[mask.cpu().numpy()])


def picture(image: Tensor) -> Image.Image:
    """An image tensor ``3 x H x W``, RGB, 0..255 (clipped), as a picture."""
    return Image.fromarray(image.clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy())


def sheet(path: Path, rows: Sequence[Sequence[Image.Image]], heads: Sequence[str], sides: Sequence[str]) -> None:
    """Pictures in rows and columns, a head over each column and a word beside each row.

    Args:
        path: PNG or JPEG file to write.
        rows: the pictures; all rows of one length.
        heads: a title for each column.
        sides: a title for each row.
    """
    width, height, top, left = *_CELL, 18, 110
    board = Image.new("RGB", (left + len(heads) * (width + 4), top + len(rows) * (height + 4)), "white")
    pen = ImageDraw.Draw(board)
    for column, head in enumerate(heads):
        pen.text((left + column * (width + 4) + 4, 3), head, fill="black")
    for line, (side, pictures) in enumerate(zip(sides, rows, strict=True)):
        y = top + line * (height + 4)
        pen.multiline_text((4, y + 4), side, fill="black")
        for column, one in enumerate(pictures):
            board.paste(one.resize(_CELL, Image.Resampling.LANCZOS), (left + column * (width + 4), y))
    board.save(path)
