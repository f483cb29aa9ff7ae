"""Trucks, buses and trams: boxes with rounded edges, windows, lettering bands, wheels and lights."""

import numpy as np

from streetworld.basics import Array, linear
from streetworld.car_bodies import wheel
from streetworld.mesh import Mesh, Part, box, join, make, panel

GLASS = (32, 36, 41)


def _hull(
    width: float,
    low: float,
    top: float,
    z0: float,
    z1: float,
    colour: Array,
    gloss: float,
    nose: float,
    band: Array | None = None,
) -> Part:
    """A long body with bevelled roof edges; the front end leans back by `nose` metres."""
    half = width / 2
    mid = low + (top - low) * 0.42
    section = [
        (half, low),
        (half, mid),
        (half, top - 0.28),
        (half - 0.1, top - 0.08),
        (half - 0.42, top),
        (0.0, top + 0.03),
    ]
    quads, albedo = [], []
    for i in range(len(section) - 1):
        (xa, ya), (xb, yb) = section[i], section[i + 1]
        lean_a, lean_b = (nose * max(y - mid, 0) / (top - mid) for y in (ya, yb))
        for n in range(4):  # along the body, for shading and near cuts
            a, b = z0 + (z1 - z0) * n / 4, z0 + (z1 - z0) * (n + 1) / 4
            cut_a, cut_b = (lean_a, lean_b) if n == 3 else (0.0, 0.0)
            quad = np.array([[xa, ya, a], [xb, yb, a], [xb, yb, b - cut_b], [xa, ya, b - cut_a]])
            quads += [quad, (quad * [-1, 1, 1])[::-1]]
            albedo += [band if band is not None and i == 0 else colour] * 2
        for z, lean, sign in ((z0, (0.0, 0.0), -1), (z1, (lean_a, lean_b), 1)):
            end = np.array(
                [
                    [xa * sign, ya, z - lean[0]],
                    [xb * sign, yb, z - lean[1]],
                    [-xb * sign, yb, z - lean[1]],
                    [-xa * sign, ya, z - lean[0]],
                ]
            )
            quads.append(end)
            albedo.append(band if band is not None and i == 0 else colour)
    return make(np.array(quads), np.array(albedo), gloss, 0, 1)


def _wheels(width: float, places: list[float], radius: float) -> list[Part]:
    parts: list[Part] = []
    for z in places:
        for side in (-1, 1):
            parts += wheel(side * width / 2 * 0.98, z, radius, 0.3, 0, 120, False)
            parts += wheel(side * (width / 2 + 0.01), z, radius, 0.02, 3, 120, False)
    return parts


def _lamps(width: float, z0: float, z1: float, y: float, glow: float) -> list[Part]:
    parts = []
    for side in (-1, 1):
        a, b = sorted((side * width * 0.46, side * width * 0.32))
        parts.append(panel(2, z1 + 0.02, (a, y), (b, y + 0.2), linear(210, 212, 214), 0.6, glow))
        parts.append(
            panel(2, z0 - 0.02, (a, y + 0.1), (b, y + 0.5), linear(150, 18, 16), 0.4, 0.3 + glow * 0.3, 2, True)
        )
    return parts


def bus(rng: np.random.Generator, saturation: float, glow: float) -> tuple[Mesh, float, float]:
    """A city bus, sometimes with an upper deck; returns mesh, length, width."""
    width, length = 2.5, rng.uniform(9.5, 12)
    double = rng.random() < 0.4
    top = 4.25 if double else rng.uniform(2.9, 3.2)
    colours = [
        (150, 24, 28),
        (190, 44, 34),
        (36, 84, 140),
        (226, 226, 220),
        (214, 190, 120),
        (40, 110, 84),
        (230, 150, 40),
    ]
    r, g, b = colours[int(rng.integers(len(colours)))]
    colour = linear(r, g, b)
    colour = np.clip(colour.mean() + (colour - colour.mean()) * saturation, 0.01, 0.8)
    r, g, b = colours[int(rng.integers(len(colours)))]
    band = linear(r, g, b) if rng.random() < 0.5 else colour * 0.8
    z0, z1 = -length / 2, length / 2
    parts = [_hull(width, 0.32, top, z0, z1, colour, 0.35, 0.18, band), *_wheels(width, [z0 + 2.6, z1 - 2.3], 0.48)]
    glass = linear(*GLASS)
    decks = [(1.25, 2.25)] if not double else [(1.15, 2.0), (2.75, 3.65)]
    if not double:
        decks = [(1.2, top - 0.5)]
    for low, high in decks:
        for side in (-1, 1):
            for i in range(7):
                a = z0 + 0.35 + i * (length - 0.7) / 7
                parts.append(
                    panel(
                        0,
                        side * (width / 2 + 0.012),
                        (a, low),
                        (a + (length - 0.7) / 7 - 0.1, high),
                        glass,
                        1.0,
                        0,
                        2,
                        side < 0,
                    )
                )
        parts.append(panel(2, z1 + 0.012, (-1.12, low - 0.1), (1.12, high), glass, 1.0))
        if rng.random() < 0.8:
            parts.append(panel(2, z0 - 0.012, (-0.95, low + 0.2), (0.95, high), glass, 0.9, 0, 2, True))
    for a in (z1 - 1.4, z1 - 6.0):  # doors on both sides keep left and right traffic alike
        for side in (-1, 1):
            parts.append(
                panel(0, side * (width / 2 + 0.016), (a, 0.4), (a + 1.05, 2.3), glass * 0.7, 0.8, 0, 2, side < 0)
            )
    sign_y = top - 0.42 if not double else 2.1
    parts.append(panel(2, z1 + 0.03, (-0.8, sign_y), (0.8, sign_y + 0.28), linear(230, 150, 40), 0, 0.5))
    parts.append(panel(2, z0 - 0.03, (-0.3, sign_y), (0.3, sign_y + 0.25), linear(200, 150, 60), 0, 0.3, 2, True))
    if rng.random() < 0.5:  # an advertisement
        ad = np.clip(rng.uniform(0.02, 0.6, 3), 0.02, 0.6)
        for side in (-1, 1):
            parts.append(panel(0, side * (width / 2 + 0.02), (z0 + 1, 0.55), (z0 + 5, 1.05), ad, 0.1, 0, 2, side < 0))
    parts += _lamps(width, z0, z1, 0.6, glow)
    parts.append(panel(2, z0 - 0.014, (-0.9, 0.45), (0.9, 1.05), band * 0.5, 0.1, 0, 2, True))
    return join(*parts), length, width


def truck(rng: np.random.Generator, saturation: float, glow: float) -> tuple[Mesh, float, float]:
    """A lorry with a closed box, a curtain side or a tipper; returns mesh, length, width."""
    width, length = 2.4, rng.uniform(6, 10)
    colours = [(220, 220, 216), (40, 70, 130), (150, 30, 30), (60, 110, 70), (220, 170, 50), (120, 124, 128)]

    def shade() -> Array:
        r, g, b = colours[int(rng.integers(len(colours)))]
        c = linear(r, g, b)
        return np.asarray(np.clip(c.mean() + (c - c.mean()) * saturation, 0.01, 0.8))

    cab, load = shade(), shade()
    z0, z1 = -length / 2, length / 2
    split = z1 - 2.0
    parts = [_hull(width - 0.1, 0.55, 2.7, split, z1, cab, 0.4, 0.25)]
    kind = rng.random()
    high = rng.uniform(2.9, 3.8)
    if kind < 0.75:
        parts.append(_hull(width, 0.95, high, z0, split - 0.1, load, 0.12, 0.0))
        for side in (-1, 1):
            for z in np.arange(z0, split, 0.8 if kind < 0.4 else 2.4):
                parts.append(
                    panel(0, side * (width / 2 + 0.01), (z, 1.0), (z + 0.05, high - 0.3), load * 0.6, 0, 0, 2, side < 0)
                )
            if rng.random() < 0.6:
                parts.append(
                    panel(0, side * (width / 2 + 0.012), (z0 + 1, 1.5), (z0 + 3.2, 2.3), shade(), 0, 0, 2, side < 0)
                )
        parts.append(panel(2, z0 - 0.012, (-0.012, 1.0), (0.012, high - 0.2), load * 0.2, 0, 0, 2, True))
        for x in (-0.9, 0.9):
            parts.append(panel(2, z0 - 0.014, (x - 0.03, 1.0), (x + 0.03, high - 0.25), load * 0.45, 0, 0, 2, True))
    else:
        parts.append(box((-width / 2, 1.0, z0), (width / 2, 2.0, split - 0.2), load, 0.1, 1))
        parts.append(
            box((-width / 2 + 0.2, 2.0, z0 + 0.4), (width / 2 - 0.2, 2.35, split - 0.8), linear(110, 90, 70), 0, 1)
        )
    chassis = linear(30, 30, 32)
    parts.append(box((-width * 0.4, 0.5, z0 + 0.2), (width * 0.4, 0.98, z1 - 0.4), chassis, 0, 0))
    parts.append(panel(2, z0 - 0.02, (-1.1, 0.5), (1.1, 0.72), linear(160, 40, 36), 0.1, 0, 2, True))
    glass = linear(*GLASS)
    parts.append(panel(2, z1 - 0.14, (-1.05, 1.55), (1.05, 2.35), glass, 1.0))
    parts.append(panel(2, z1 + 0.012, (-0.8, 0.75), (0.8, 1.35), cab * 0.25, 0.1))
    for side in (-1, 1):
        parts.append(
            panel(0, side * (width / 2 - 0.035), (z1 - 1.35, 1.6), (z1 - 0.4, 2.3), glass, 1.0, 0, 2, side < 0)
        )
    places = [z1 - 1.2, z0 + 1.6] + ([z0 + 2.8] if length > 8.5 else [])
    parts += [*_wheels(width, places, 0.5), *_lamps(width, z0, z1, 0.62, glow)]
    return join(*parts), length, width


def tram(rng: np.random.Generator, saturation: float, glow: float) -> tuple[Mesh, float, float]:
    """A tram of two or three joined cars; returns mesh, length, width."""
    width, cars = 2.4, int(rng.integers(2, 4))
    colours = [(200, 40, 36), (232, 228, 214), (40, 90, 150), (230, 180, 50), (70, 130, 90)]
    r, g, b = colours[int(rng.integers(len(colours)))]
    colour = linear(r, g, b)
    colour = np.clip(colour.mean() + (colour - colour.mean()) * saturation, 0.01, 0.8)
    each = rng.uniform(7, 10)
    length = each * cars
    parts = []
    glass = linear(*GLASS)
    for i in range(cars):
        a = -length / 2 + i * each
        parts.append(
            _hull(
                width,
                0.3,
                3.3,
                a + 0.15,
                a + each - 0.15,
                colour,
                0.35,
                0.5 if i == cars - 1 else 0.0,
                linear(220, 218, 210),
            )
        )
        if i:
            parts.append(box((-1.05, 0.4, a - 0.3), (1.05, 3.1, a + 0.3), linear(36, 36, 38), 0, 1))
        for side in (-1, 1):
            for n in range(5):
                w = (each - 1.0) / 5
                z = a + 0.5 + n * w
                parts.append(
                    panel(
                        0,
                        side * (width / 2 + 0.012),
                        (z, 1.3 if n != 2 else 0.45),
                        (z + w - 0.12, 2.5),
                        glass,
                        1.0,
                        0,
                        2,
                        side < 0,
                    )
                )
        parts.append(box((-0.6, 3.3, a + 2), (0.6, 3.65, a + each - 2), linear(120, 120, 120), 0, 2))
    z = length / 2
    for end, back in ((z - 0.14, False), (-z + 0.14, True)):
        parts.append(panel(2, end + (-0.02 if back else 0.02), (-1.05, 1.35), (1.05, 2.6), glass, 1.0, 0, 2, back))
        parts.append(
            panel(2, end + (-0.03 if back else 0.03), (-0.7, 2.7), (0.7, 3.0), linear(230, 160, 60), 0, 0.5, 2, back)
        )
    parts += _lamps(width, -z + 0.14, z - 0.14, 0.75, glow)
    arm = linear(40, 40, 42)
    parts.append(box((-0.04, 3.6, -1), (0.04, 4.9, -0.9), arm, 0, 3))
    parts.append(box((-0.8, 4.9, -1), (0.8, 4.95, -0.9), arm, 0, 3))
    return join(*parts), length, width
