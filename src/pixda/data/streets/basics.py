"""What every part of the street world shares: options, label ids, colours and random streams."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

VERSION = 1  # raise it when a frame of the same options would come out differently

Array = npt.NDArray[Any]
Domain = Literal["rendered", "camera"]
DOMAINS: tuple[Domain, ...] = ("rendered", "camera")


class Label(IntEnum):
    """Cityscapes label ids of the nineteen classes, and 0 for what is none of them."""

    VOID = 0
    ROAD = 7
    SIDEWALK = 8
    BUILDING = 11
    WALL = 12
    FENCE = 13
    POLE = 17
    TRAFFIC_LIGHT = 19
    TRAFFIC_SIGN = 20
    VEGETATION = 21
    TERRAIN = 22
    SKY = 23
    PERSON = 24
    RIDER = 25
    CAR = 26
    TRUCK = 27
    BUS = 28
    TRAIN = 31
    MOTORCYCLE = 32
    BICYCLE = 33


@dataclass(frozen=True)
class WorldOptions:
    """Which street world: its seed, layout gap (0 = as the car camera sees, 1 = far away) and frame size."""

    seed: int = 0
    gap: float = 0.0
    width: int = 480
    height: int = 360


def stream(*key: int) -> np.random.Generator:
    """A random generator that depends on `key` (non-negative integers) alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def linear(r: float, g: float, b: float) -> Array:
    """Display colour 0..255 -> linear light 0..1, float32 (3,); the world uses gamma 2 throughout."""
    return np.asarray([r * r / 65025, g * g / 65025, b * b / 65025], np.float32)


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One key of `weights`, drawn in proportion to its weight."""
    values = np.array(list(weights.values()), float)
    return list(weights)[int(np.searchsorted(np.cumsum(values) / values.sum(), rng.random(), side="right"))]


def jitter(rng: np.random.Generator, colour: Array, amount: float) -> Array:
    """`colour` with its brightness and each channel changed a little."""
    scale = np.exp(rng.normal(0, amount)) * np.exp(rng.normal(0, amount * 0.35, 3))
    return np.asarray(np.clip(colour * scale, 0.004, 0.95), np.float32)
