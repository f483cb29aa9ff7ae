"""Wrapping noise tiles that all surfaces share; made once a process, the same everywhere."""

from functools import cache, lru_cache

import cv2
import numpy as np

from streetworld.basics import Array, stream

TILE = 512  # pixels a side


def _band(rng: np.random.Generator, low: float, high: float, fall: float = 1.0) -> Array:
    """Wrapping noise of spatial frequencies (cycles a tile) from low to high; `fall` > 1 is smoother; unit variance."""
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    fy = np.fft.fftfreq(TILE, 1 / TILE)[:, None]
    fx = np.fft.rfftfreq(TILE, 1 / TILE)[None]
    radius = np.hypot(fx, fy)
    spectrum *= (radius >= low) * (radius <= high) / np.maximum(radius, 1.0) ** fall
    tile = np.fft.irfft2(spectrum, (TILE, TILE))
    return np.asarray(tile / tile.std(), np.float32)


@cache
def tile(kind: str, variant: int = 0) -> Array:
    """A (512, 512) float32 tile about 0 with unit variance: "cloud", "puff", "blotch", "grain", "streak"."""
    rng = stream(811, sum(map(ord, kind)), variant)
    if kind == "cloud":
        return _band(rng, 1, 90)
    if kind == "puff":
        return _band(rng, 2, 60, 1.75)
    if kind == "blotch":
        return _band(rng, 3, 40)
    if kind == "streak":
        base = _band(rng, 4, 250)
        return cv2.resize(base[:64], (TILE, TILE), interpolation=cv2.INTER_LINEAR)
    grain = _band(rng, 30, 256) + 0.6 * rng.standard_normal((TILE, TILE)).astype(np.float32)
    return np.asarray(grain / grain.std(), np.float32)


def patch(kind: str, variant: int, height: int, width: int, zoom: float = 1.0) -> Array:
    """A (height, width) cut of a tile, repeated where it is too small; zoom > 1 makes its grain coarser."""
    source = tile(kind, variant % 4)
    rows, cols = max(1, round(height / zoom)), max(1, round(width / zoom))
    y, x = (variant * 37) % TILE, (variant * 101) % TILE
    cut = source[np.ix_((y + np.arange(rows)) % TILE, (x + np.arange(cols)) % TILE)]
    if zoom == 1.0:
        return cut
    return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


@lru_cache(maxsize=1)
def white() -> Array:
    """A (1024, 1024, 3) float32 tile of independent normal noise, for sensors."""
    return stream(812).standard_normal((1024, 1024, 3), dtype=np.float32)
