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


# The colours in which Cityscapes draws its classes, 0..255.
COLOURS: dict[Label, tuple[int, int, int]] = {
    Label.ROAD: (128, 64, 128),
    Label.SIDEWALK: (244, 35, 232),
    Label.BUILDING: (70, 70, 70),
    Label.WALL: (102, 102, 156),
    Label.FENCE: (190, 153, 153),
    Label.POLE: (153, 153, 153),
    Label.TRAFFIC_LIGHT: (250, 170, 30),
    Label.TRAFFIC_SIGN: (220, 220, 0),
    Label.VEGETATION: (107, 142, 35),
    Label.TERRAIN: (152, 251, 152),
    Label.SKY: (70, 130, 180),
    Label.PERSON: (220, 20, 60),
    Label.RIDER: (255, 0, 0),
    Label.CAR: (0, 0, 142),
    Label.TRUCK: (0, 0, 70),
    Label.BUS: (0, 60, 100),
    Label.TRAIN: (0, 80, 100),
    Label.MOTORCYCLE: (0, 0, 230),
    Label.BICYCLE: (119, 11, 32),
}


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
