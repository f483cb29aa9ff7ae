"""Pictures for pages and sheets: images, masks in the colours of their classes, maps as heat."""

import base64
import io
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
from PIL import Image
from torch import Tensor

from pixda.data.classes import ClassSet
from pixda.sheet import picture

_WIDEST = 640
"""Pixels: sharp on a phone, and small enough for dozens in one page."""

Kind = Literal["image", "mask", "map"]


@dataclass(frozen=True)
class Captioned:
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


def captioned(image: Tensor, text: str) -> Captioned:
    """An image ``3 x H x W``, RGB, 0..255."""
    return Captioned(_fitted(picture(image), Image.Resampling.LANCZOS), text)


def captioned_mask(mask: Tensor, classes: ClassSet, text: str) -> Captioned:
    """Class indices ``H x W``; 255 is black."""
    indices = Image.fromarray(mask.cpu().numpy(), "P")
    indices.putpalette(classes.palette().tobytes())
    return Captioned(_fitted(indices, Image.Resampling.NEAREST), text, "mask")


def captioned_map(values: Tensor, most: float, text: str, colours: str = "magma") -> Captioned:
    """Values ``H x W`` from 0 to ``most`` (brighter or higher ones look alike) in a colour map of matplotlib."""
    scaled = (values.float() / max(most, 1e-12)).clamp(0, 1).cpu().numpy()
    heat = (mpl.colormaps[colours](scaled)[..., :3] * 255).astype(np.uint8)
    return Captioned(_fitted(Image.fromarray(heat), Image.Resampling.NEAREST), text, "map")


def _fitted(full: Image.Image, how: Image.Resampling) -> Image.Image:
    if full.width <= _WIDEST:
        return full
    return full.resize((_WIDEST, max(1, round(full.height * _WIDEST / full.width))), how)
