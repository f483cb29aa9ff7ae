"""Persons: bodies of limbs in walking, standing and riding poses, with clothes, bags and hair."""

import numpy as np

from streetworld.basics import Array, linear
from streetworld.limbs import Limb

Point = tuple[float, float, float]
SKIN = [(224, 186, 160), (198, 150, 118), (150, 104, 78), (104, 70, 52), (236, 204, 184)]
CLOTH = [
    (30, 32, 38), (44, 48, 60), (70, 72, 76), (24, 26, 30), (90, 84, 74), (120, 116, 108), (50, 60, 90), (36, 44, 72),
    (110, 40, 40), (150, 50, 44), (60, 80, 60), (150, 140, 120), (200, 196, 190), (170, 60, 90), (60, 110, 150),
    (190, 150, 60),
]  # fmt: skip


def _colour(rng: np.random.Generator, choices: list[tuple[int, int, int]], saturation: float) -> Array:
    r, g, b = choices[int(rng.integers(len(choices)))]
    c = linear(r, g, b) * float(np.exp(rng.normal(0, 0.25)))
    return np.asarray(np.clip(c.mean() + (c - c.mean()) * saturation, 0.004, 0.8))


def _v(x: float, y: float, z: float) -> Array:
    return np.array([x, y, z])


def _joint(a: Array, b: Array, length: float, forward: float) -> Array:
    """The knee or elbow between a and b when both bones are `length` long, bent towards z * forward."""
    d = b - a
    reach = float(np.linalg.norm(d))
    out = np.sqrt(max(length * length - reach * reach / 4, 0.0))
    side = np.array([0.0, -d[2], d[1]])
    norm = float(np.linalg.norm(side))
    side = side / norm if norm > 1e-6 else np.array([0.0, 0.0, 1.0])
    if side[2] * forward < 0:
        side = -side
    return np.asarray((a + b) / 2 + side * out)


def _limb(a: Array, b: Array, r0: float, r1: float, albedo: Array) -> Limb:
    return Limb((float(a[0]), float(a[1]), float(a[2])), (float(b[0]), float(b[1]), float(b[2])), r0, r1, albedo)


def _head(rng: np.random.Generator, neck: Array, size: float, skin: Array, helmet: Array | None) -> list[Limb]:
    r = 0.062 * size
    centre = neck + _v(0, 0.115 * size, 0.02 * size)
    hair = linear(*(np.array([60, 44, 32]) * rng.uniform(0.3, 2.2))) if helmet is None else helmet
    parts = [
        _limb(neck - _v(0, 0.03, 0), centre, 0.04 * size, 0.04 * size, skin * 0.8),
        _limb(centre - _v(0, 0.035 * size, -0.01), centre + _v(0, 0.02 * size, 0), r * 0.82, r * 0.95, skin),
        _limb(centre + _v(0, 0.045 * size, -0.02), centre + _v(0, 0.02 * size, -0.045 * size), r, r * 0.98, hair),
    ]
    if helmet is None and rng.random() < 0.4:  # long hair
        parts.append(
            _limb(centre + _v(0, 0.02 * size, -0.05), centre + _v(0, -0.11 * size, -0.06), r * 0.85, r * 0.6, hair)
        )
    return parts


def walker(rng: np.random.Generator, saturation: float) -> list[Limb]:
    """A person on foot, 1.0 to 1.9 m tall, facing +z."""
    size = rng.uniform(1.55, 1.9) if rng.random() < 0.9 else rng.uniform(1.0, 1.4)
    stout = rng.uniform(0.85, 1.25)
    walking = rng.random() < 0.7
    swing = rng.uniform(-1, 1) * (0.45 if walking else 0.08)
    skin, top, legs = (
        _colour(rng, SKIN, saturation),
        _colour(rng, CLOTH, saturation),
        _colour(rng, CLOTH[:9], saturation),
    )
    shoes = linear(28, 26, 26) * rng.uniform(0.5, 3)
    hip_y, lean = 0.52 * size, rng.normal(0.03, 0.03)
    hip = np.array([0, hip_y, 0.0])
    chest = np.array([0, 0.79 * size, lean * size])
    coat = rng.random() < 0.35
    parts: list[Limb] = []
    for side in (-1, 1):
        s = swing * side
        a = hip + _v(side * 0.05 * size, 0, 0)
        foot = np.array([side * 0.055 * size, 0.05, np.sin(s) * 0.5 * size])
        if s < 0 and walking:
            foot[1] += 0.05 * size * abs(s) * 2
        knee = _joint(a, foot, 0.27 * size, 1.0)
        parts += [
            _limb(a, knee, 0.062 * size * stout, 0.045 * size, legs),
            _limb(knee, foot, 0.044 * size, 0.03 * size, legs),
            _limb(foot + _v(0, -0.01, -0.03), foot + _v(0, -0.02, 0.13), 0.042, 0.035, shoes),
        ]
        shoulder = chest + _v(side * 0.115 * size * stout, 0.0, 0)
        kind = rng.random()
        if kind < 0.75:
            hand = shoulder + _v(side * 0.04, -0.33 * size, -np.sin(s) * 0.28 * size + 0.02)
        elif kind < 0.88:  # holding something in front
            hand = shoulder + _v(-side * 0.06, -0.15 * size, 0.2 * size)
        else:
            hand = shoulder + _v(side * 0.03, 0.07 * size, 0.1 * size)
        elbow = _joint(shoulder, hand, 0.175 * size, -1.0)
        parts += [
            _limb(shoulder, elbow, 0.04 * size, 0.035 * size, top),
            _limb(elbow, hand, 0.034 * size, 0.026 * size, top),
            _limb(hand, hand - _v(0, 0.05, 0), 0.028, 0.026, skin),
        ]
    broad = 0.085 * size * stout
    parts += [
        _limb(hip - _v(0, 0.02, 0), chest - _v(0, 0.03 * size, 0), broad * 1.05, broad * 1.12, top),
        _limb(chest + _v(-0.07 * size, 0, 0), chest + _v(0.07 * size, 0, 0), 0.05 * size, 0.05 * size, top),
    ]
    if coat:
        parts.append(
            _limb(hip + _v(0, 0.05, 0), hip - _v(0, rng.uniform(0.08, 0.22) * size, 0), broad * 1.1, broad * 1.3, top)
        )
    elif rng.random() < 0.7:
        parts.append(_limb(hip - _v(0.03, 0.02, 0), hip - _v(-0.03, 0.04, 0), broad * 0.98, broad * 0.98, legs))
    if rng.random() < 0.3:  # a bag or rucksack
        bag = _colour(rng, CLOTH, saturation)
        if rng.random() < 0.5:
            parts.append(
                _limb(chest - _v(0, 0.02, 0.13 * size), chest - _v(0, 0.2 * size, 0.14 * size), 0.09, 0.1, bag)
            )
        else:
            at = hip + _v((-1) ** int(rng.integers(2)) * 0.19 * size, 0, 0)
            parts.append(_limb(at, at - _v(0, 0.2, 0), 0.07, 0.1, bag))
    parts += _head(rng, chest + _v(0, 0.05 * size, 0.01), size, skin, None)
    return parts


def rider(rng: np.random.Generator, saturation: float, motor: bool) -> list[Limb]:
    """A person on a bicycle or motorcycle whose wheels stand at z = 0.5 and -0.5, facing +z."""
    size = rng.uniform(1.6, 1.88)
    skin, top, legs = (
        _colour(rng, SKIN, saturation),
        _colour(rng, CLOTH, saturation),
        _colour(rng, CLOTH[:9], saturation),
    )
    if not motor and rng.random() < 0.3:
        top = linear(200, 214, 50) * rng.uniform(0.5, 0.9)  # a safety vest
    helmet = _colour(rng, CLOTH, saturation) if motor or rng.random() < 0.4 else None
    hip = np.array([0.0, 0.86 if motor else 0.97, -0.2])
    upright = rng.uniform(0.15, 0.4)
    chest = hip + np.array([0, 0.46 * np.cos(upright), 0.46 * np.sin(upright)])
    turn = rng.uniform(0, 2 * np.pi)
    parts: list[Limb] = []
    for side in (-1, 1):
        a = hip + _v(side * 0.09, 0, 0)
        if motor:
            foot = np.array([side * 0.2, 0.32, 0.05])
        else:
            foot = np.array([side * 0.13, 0.3 + side * 0.17 * np.cos(turn), side * 0.17 * np.sin(turn)])
        knee = _joint(a, foot, 0.42, 1.0)
        parts += [
            _limb(a, knee, 0.095, 0.065, legs),
            _limb(knee, foot + _v(0, 0.05, 0), 0.06, 0.045, legs),
            _limb(foot + _v(0, 0, -0.06), foot + _v(0, 0, 0.12), 0.045, 0.038, linear(30, 30, 30)),
        ]
        shoulder = chest + _v(side * 0.19, -0.02, 0)
        hand = np.array([side * 0.27, 1.02, 0.36])
        elbow = _joint(shoulder, hand, 0.3, -1.0)
        parts += [
            _limb(shoulder, elbow, 0.06, 0.05, top),
            _limb(elbow, hand, 0.048, 0.04, top),
            _limb(hand, hand, 0.045, 0.045, skin),
        ]
    parts += [
        _limb(hip, chest - _v(0, 0.05, 0), 0.155, 0.165, top),
        _limb(chest - _v(0.12, 0.02, 0), chest + _v(0.12, -0.02, 0), 0.085, 0.085, top),
        _limb(hip - _v(0.05, 0.03, 0), hip + _v(0.05, -0.03, 0), 0.15, 0.15, legs),
    ]
    if rng.random() < 0.25:
        parts.append(
            _limb(chest - _v(0, 0.05, 0.2), chest - _v(0, 0.35, 0.16), 0.12, 0.13, _colour(rng, CLOTH, saturation))
        )
    parts += _head(rng, chest + _v(0, 0.09, 0.03), size, skin, helmet)
    return parts
