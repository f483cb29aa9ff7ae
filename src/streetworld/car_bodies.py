"""Car bodies: shapes by their profiles, and the surface lofted through cross-sections; wheels."""

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np

from streetworld.basics import Array, linear
from streetworld.mesh import Part, make

# Control points from the rear (0) to the front (1): share of length, sill, belt, top, share of width.
Profile = list[tuple[float, float, float, float, float]]


@dataclass(frozen=True)
class Shape:
    """A body: metres, its profile, and where glass lies along its length."""

    length: float
    width: float
    profile: Profile
    side_glass: tuple[float, float]
    pillars: tuple[float, ...]
    rear_glass: tuple[float, float]
    windscreen: tuple[float, float]
    wheels: tuple[float, float]
    wheel: float
    closed_sides: bool = False


SHAPES: dict[str, Shape] = {
    "hatch": Shape(
        3.9, 1.68,
        [(0, 0.42, 0.70, 0.74, 0.86), (0.02, 0.28, 0.90, 0.96, 0.95), (0.13, 0.22, 0.93, 1.40, 0.98),
         (0.35, 0.2, 0.92, 1.46, 1.0), (0.55, 0.2, 0.90, 1.43, 1.0), (0.76, 0.2, 0.88, 0.97, 0.99),
         (0.93, 0.22, 0.78, 0.84, 0.93), (0.98, 0.28, 0.66, 0.70, 0.84), (1, 0.4, 0.56, 0.6, 0.74)],
        (0.14, 0.70), (0.38, 0.22), (0.02, 0.13), (0.55, 0.76), (0.18, 0.81), 0.30),
    "sedan": Shape(
        4.5, 1.76,
        [(0, 0.42, 0.72, 0.80, 0.84), (0.02, 0.3, 0.90, 0.98, 0.93), (0.14, 0.24, 0.94, 1.02, 0.97),
         (0.29, 0.2, 0.93, 1.38, 0.99), (0.42, 0.2, 0.92, 1.42, 1.0), (0.56, 0.2, 0.90, 1.38, 1.0),
         (0.74, 0.2, 0.88, 0.95, 0.99), (0.94, 0.22, 0.76, 0.80, 0.93), (0.985, 0.28, 0.64, 0.68, 0.84),
         (1, 0.4, 0.55, 0.58, 0.74)],
        (0.20, 0.69), (0.42, 0.29), (0.14, 0.29), (0.56, 0.74), (0.19, 0.82), 0.31),
    "estate": Shape(
        4.6, 1.76,
        [(0, 0.4, 0.74, 0.8, 0.86), (0.015, 0.28, 0.93, 1.0, 0.95), (0.09, 0.22, 0.95, 1.42, 0.98),
         (0.35, 0.2, 0.93, 1.46, 1.0), (0.56, 0.2, 0.90, 1.42, 1.0), (0.74, 0.2, 0.88, 0.96, 0.99),
         (0.94, 0.22, 0.76, 0.81, 0.93), (0.985, 0.28, 0.64, 0.68, 0.84), (1, 0.4, 0.55, 0.58, 0.74)],
        (0.08, 0.69), (0.43, 0.26), (0.015, 0.09), (0.56, 0.74), (0.18, 0.82), 0.31),
    "suv": Shape(
        4.5, 1.86,
        [(0, 0.5, 0.86, 0.92, 0.88), (0.015, 0.38, 1.06, 1.12, 0.96), (0.08, 0.32, 1.08, 1.66, 0.98),
         (0.35, 0.3, 1.06, 1.74, 1.0), (0.56, 0.3, 1.04, 1.70, 1.0), (0.71, 0.3, 1.02, 1.12, 0.99),
         (0.94, 0.32, 0.94, 1.0, 0.95), (0.985, 0.38, 0.8, 0.84, 0.9), (1, 0.5, 0.66, 0.7, 0.8)],
        (0.08, 0.67), (0.42, 0.25), (0.015, 0.08), (0.56, 0.71), (0.18, 0.81), 0.37),
    "mpv": Shape(
        4.2, 1.76,
        [(0, 0.42, 0.78, 0.84, 0.88), (0.015, 0.3, 0.98, 1.04, 0.96), (0.08, 0.24, 1.0, 1.58, 0.98),
         (0.35, 0.22, 0.98, 1.65, 1.0), (0.58, 0.22, 0.96, 1.60, 1.0), (0.84, 0.22, 0.90, 0.99, 0.98),
         (0.95, 0.24, 0.78, 0.84, 0.93), (0.985, 0.28, 0.66, 0.7, 0.86), (1, 0.4, 0.56, 0.6, 0.76)],
        (0.08, 0.74), (0.40, 0.22, 0.64), (0.015, 0.08), (0.58, 0.84), (0.17, 0.82), 0.31),
    "van": Shape(
        5.2, 1.95,
        [(0, 0.45, 1.1, 2.15, 0.95), (0.01, 0.3, 1.15, 2.25, 0.98), (0.1, 0.25, 1.15, 2.3, 1.0),
         (0.68, 0.25, 1.15, 2.28, 1.0), (0.74, 0.25, 1.13, 2.18, 1.0), (0.88, 0.25, 1.08, 1.24, 0.99),
         (0.965, 0.28, 0.96, 1.02, 0.94), (0.99, 0.34, 0.8, 0.84, 0.88), (1, 0.45, 0.62, 0.66, 0.8)],
        (0.70, 0.82), (0.76,), (2.0, 2.0), (0.74, 0.88), (0.19, 0.83), 0.34, True),
    "small van": Shape(
        4.3, 1.75,
        [(0, 0.42, 0.95, 1.7, 0.94), (0.01, 0.3, 1.02, 1.78, 0.98), (0.1, 0.24, 1.02, 1.84, 1.0),
         (0.5, 0.22, 1.0, 1.84, 1.0), (0.6, 0.22, 0.98, 1.76, 1.0), (0.8, 0.22, 0.92, 1.02, 0.98),
         (0.95, 0.24, 0.8, 0.86, 0.93), (0.985, 0.28, 0.68, 0.72, 0.86), (1, 0.4, 0.56, 0.6, 0.76)],
        (0.5, 0.74), (0.52,), (2.0, 2.0), (0.6, 0.8), (0.18, 0.81), 0.31, True),
}  # fmt: skip


def _stations(shape: Shape, fine: bool) -> Array:
    knots = {p[0] for p in shape.profile} | set(shape.side_glass) | {shape.windscreen[0], shape.windscreen[1]}
    for at in shape.pillars:
        knots |= {at - 0.012, at + 0.012}
    knots |= {t for t in shape.rear_glass if t < 1}
    values = sorted(knots)
    if fine:
        values = sorted({*values, *[(a + b) / 2 for a, b in pairwise(values) if b - a > 0.05]})
    return np.array(values)


@cache
def _loft(kind: str, fine: bool, trim: bool) -> tuple[Array, Array, Array, Array]:
    """Quads, normals, gloss and material (0 paint, 1 glass, 2 dark, 3 plastic, 4 rim of a screen) of a body."""
    shape = SHAPES[kind]
    t = _stations(shape, fine)
    control = np.array(shape.profile)
    low, belt, top, wide = (np.interp(t, control[:, 0], control[:, i]) for i in range(1, 5))
    half = wide * shape.width / 2
    rise = np.clip(top - belt, 0, None)
    roof = half * (1 - 0.36 * np.clip(rise / 0.55, 0, 1) * (0.45 if shape.closed_sides else 0.78)) - 0.02
    z = (t - 0.5) * shape.length
    rows = [  # (half width, height) of the points of each cross-section, sill to middle of the roof
        (half * 0.94, low),
        (half * 0.995, low + (belt - low) * 0.3),
        (half, low + (belt - low) * 0.68),
        (half * 0.965, belt),
        (roof, top - np.minimum(rise * 0.2, 0.07)),
        (roof * 0.86, top - 0.006),
        (np.zeros_like(half), top + np.where(rise > 0.2, 0.025, 0.02)),
    ]
    ring = np.stack([np.stack([x, y, z], 1) for x, y in rows])  # (points, stations, 3)
    points, count = ring.shape[:2]
    # Smooth normals: cross product of the directions along and around the body at each grid point.
    around = np.gradient(ring, axis=0)
    length = np.gradient(ring, axis=1)
    smooth = np.cross(length, around)
    smooth[-1] = smooth[-1] * [0, 1, 1] + [0, 1e-6, 0]
    smooth /= np.maximum(np.linalg.norm(smooth, axis=2, keepdims=True), 1e-9)
    quads, normals, material, gloss = [], [], [], []
    for k in range(count - 1):
        m = (t[k] + t[k + 1]) / 2
        pillar = any(abs(m - p) < 0.0121 for p in shape.pillars)
        for p in range(points - 1):
            surface, shine = 0, 0.55
            if p == 3 and shape.side_glass[0] < m < shape.side_glass[1] and rise[k : k + 2].max() > 0.12:
                surface, shine = (2, 0.3) if pillar else (1, 1.0)
            elif p == 5 or p == 4:
                front = shape.windscreen[0] < m < shape.windscreen[1]
                rear = shape.rear_glass[0] < m < shape.rear_glass[1]
                if (front or rear) and p == 5:
                    surface, shine = 1, 1.0
                elif front or rear:
                    surface, shine = 4, 0.5
            elif p == 0 and trim:
                surface, shine = 3, 0.1
            quad = np.stack([ring[p, k], ring[p + 1, k], ring[p + 1, k + 1], ring[p, k + 1]])
            normal = smooth[p : p + 2, k : k + 2].mean((0, 1))
            for mirror in (1, -1):
                side = quad * [mirror, 1, 1]
                quads.append(side if mirror == 1 else side[::-1])
                normals.append(normal * [mirror, 1, 1])
                material.append(surface)
                gloss.append(shine)
    for k, sign in ((0, -1), (count - 1, 1)):  # close the ends, in two bands
        for p in range(points - 1):
            a, b = ring[p, k], ring[p + 1, k]
            quad = np.stack([a * [sign, 1, 1], b * [sign, 1, 1], b * [-sign, 1, 1], a * [-sign, 1, 1]])
            quads.append(quad)
            normals.append(np.array([0, 0.15, sign * 0.99]))
            material.append(3 if trim and p == 0 else 0)
            gloss.append(0.4)
    return np.array(quads), np.array(normals), np.array(gloss), np.array(material)


def body(kind: str, paint: Array, fine: bool, trim: bool) -> Part:
    """The lofted body without wheels and decals; z = 0 at the middle, front towards +z."""
    quads, normals, gloss, material = _loft(kind, fine, trim)
    colours = np.stack([paint, linear(34, 38, 42), linear(30, 30, 32), linear(48, 48, 50), paint * 0.8])
    return make(quads, colours[material], gloss, 0.0, 1, normals)


@lru_cache(maxsize=512)
def wheel(x: float, z: float, radius: float, width: float, layer: int, tone: int, detail: bool) -> tuple[Part, ...]:
    """A wheel whose outer face lies at x, looking away from the middle; tread towards the middle."""
    side = 1.0 if x > 0 else -1.0
    rim = linear(tone, tone, tone)
    turn = np.linspace(0, 2 * np.pi, 13)

    def disc(r: float, at: float, colour: Array, shine: float, above: int) -> Part:
        ring = np.stack([np.full(12, at), radius + r * np.cos(turn[:12]), z + r * np.sin(turn[:12])], 1)
        quads = np.array([ring[[0, i, i + 1, i + 2]] for i in range(1, 10, 2)])
        quads = quads if side > 0 else quads[:, ::-1]
        return make(quads, colour, shine, 0, layer + above, np.tile([side, 0.1, 0], (len(quads), 1)))

    rubber = linear(30, 30, 31)
    ring = np.stack([np.zeros(13), radius + radius * np.cos(turn), z + radius * np.sin(turn)], 1)
    inner = x - side * width
    tread = np.array(
        [
            [ring[i] + [x, 0, 0], ring[i] + [inner, 0, 0], ring[i + 1] + [inner, 0, 0], ring[i + 1] + [x, 0, 0]]
            for i in range(12)
        ]
    )
    tread = tread if side > 0 else tread[:, ::-1]
    parts = [
        *([] if layer else [make(tread, rubber)]),  # the thin front discs have none: it would show through bodies
        disc(radius, x, rubber, 0.02, 0),
        disc(radius * 0.66, x + side * 0.004, rim, 0.3, 0),
    ]
    if detail:
        for angle in np.arange(5) * (2 * np.pi / 5):
            c, s = np.cos(angle), np.sin(angle)
            gap = np.array([[0.2, -0.12], [0.6, -0.2], [0.6, 0.2], [0.2, 0.12]]) * radius
            y, dz = radius + gap[:, 0] * c - gap[:, 1] * s, z + gap[:, 0] * s + gap[:, 1] * c
            quad = np.stack([np.full(4, x + side * 0.008), y, dz], 1)
            parts.append(make(np.array([quad if side > 0 else quad[::-1]]), rim * 0.25, 0, 0, layer))
        parts.append(disc(radius * 0.16, x + side * 0.01, rim * 0.8, 0.2, 0))
    return tuple(parts)
