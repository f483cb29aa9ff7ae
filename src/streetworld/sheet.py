"""A contact sheet of the street world: each frame beside its coloured mask."""

from pathlib import Path

import cv2
import numpy as np

from streetworld.basics import COLOURS, Array, Domain, WorldOptions
from streetworld.render import render, view_of

COLUMNS, TILE = 3, (240, 180)


def palette() -> Array:
    """(256, 3) uint8 colour of each Cityscapes label id; black where it is no class."""
    colours = np.zeros((256, 3), np.uint8)
    for label, colour in COLOURS.items():
        colours[label] = colour
    return colours


def _caption(text: str, width: int) -> Array:
    strip = np.full((22, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
    return strip


def _rows(domain: Domain, options: WorldOptions, chosen: list[int], cities: int) -> Array:
    colours = palette()
    tiles = []
    for index in chosen:
        image, mask = render(domain, index, options, index % cities)
        small = cv2.resize(image, TILE, interpolation=cv2.INTER_AREA)
        flat = cv2.resize(mask, TILE, interpolation=cv2.INTER_NEAREST)
        tiles.append(np.hstack([small, colours[flat]]))
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def _some(domain: Domain, options: WorldOptions, cities: int, count: int, odd: bool, night: bool) -> list[int]:
    """The first `count` frames of a kind."""
    found: list[int] = []
    index = 0
    while len(found) < count:
        view, _ = view_of(domain, index, options, index % cities)
        if bool(view.odd) == odd and view.night == night:
            found.append(index)
        index += 1
    return found


def contact_sheet(path: Path, seed: int = 0) -> None:
    """Write the sheet of a world `seed` as JPEG; takes some seconds. Raises OSError where it cannot."""
    near, far = WorldOptions(seed=seed), WorldOptions(seed=seed, gap=1.0)
    width = COLUMNS * TILE[0] * 2
    odd = _some("rendered", near, 8, 4, True, False)
    night = _some("rendered", near, 8, 2, False, True)
    parts = [
        _caption("camera: an imitation of a camera on a car, five cities", width),
        _rows("camera", near, list(range(6)), 5),
        _caption("rendered, layout gap 0: the camera's heights and street plans, clean and saturated", width),
        _rows("rendered", near, _some("rendered", near, 8, 6, False, False), 8),
        _caption("rendered: odd viewpoints and night, a fifth of its frames, for a selection to drop", width),
        _rows("rendered", near, odd + night, 8),
        _caption("rendered, layout gap 1: higher cameras, other angles, boulevards and plazas", width),
        _rows("rendered", far, _some("rendered", far, 8, 6, False, False), 8),
    ]
    sheet = np.vstack(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        written = cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    except cv2.error:
        written = False
    if not written:
        raise OSError(f"Cannot write the contact sheet to {path}; give a file ending in .jpg in a writable folder.")
