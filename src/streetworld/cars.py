"""Cars and vans: bodies with paint, glass, lights, wheels and seams."""

import numpy as np

from streetworld.basics import Array, linear, pick
from streetworld.car_bodies import SHAPES, Shape, body, wheel
from streetworld.mesh import Mesh, Part, join, make, panel

PAINTS = [
    (178, 180, 182), (205, 207, 208), (232, 232, 230), (28, 29, 31), (44, 47, 52), (86, 90, 95), (120, 124, 128),
    (24, 38, 84), (40, 66, 120), (96, 120, 150), (132, 20, 24), (96, 16, 24), (20, 62, 44), (70, 90, 70),
    (150, 140, 116), (190, 160, 60), (16, 18, 28), (60, 26, 60),
]  # fmt: skip


def paint_colour(rng: np.random.Generator, saturation: float) -> Array:
    """A car paint, linear; greys are the most common, as on the street."""
    weights = {str(i): (2.2 if max(c) - min(c) < 12 else 1.0) for i, c in enumerate(PAINTS)}
    r, g, b = PAINTS[int(pick(rng, weights))]
    colour = linear(r, g, b) * float(np.exp(rng.normal(0, 0.12)))
    return np.asarray(np.clip(colour.mean() + (colour - colour.mean()) * saturation, 0.004, 0.85), np.float32)


def car(
    rng: np.random.Generator, kind: str, saturation: float, fine: bool, braking: bool, lights: bool, yellow_rear: bool
) -> Mesh:
    """A car or van of one of the kinds in SHAPES, with everything on it."""
    shape = SHAPES[kind]
    paint = paint_colour(rng, saturation)
    if kind.endswith("van") and rng.random() < 0.6:
        paint = linear(224, 224, 222) * rng.uniform(0.7, 1.0)
    trim = rng.random() < 0.3
    half, length = shape.width / 2, shape.length
    parts = [body(kind, paint, fine, trim)]
    tone = 90 + 20 * int(rng.integers(6))
    dark = linear(22, 22, 24)
    for t in shape.wheels:
        z = (t - 0.5) * length
        for side in (-1, 1):
            parts += wheel(side * half * 0.97, z, shape.wheel, 0.2, 0, tone, False)  # seen from behind
            if fine:
                r = shape.wheel * 1.17
                arch = np.linspace(0, np.pi, 7)
                rim_y, rim_z = shape.wheel + r * np.sin(arch), z + r * np.cos(arch)
                points = np.stack([np.full(7, side * half * 1.001), rim_y, rim_z], 1)
                quads = np.array([points[[0, i, i + 1, i + 2]] for i in (1, 3)] + [points[[0, 5, 6, 6]]])
                parts.append(make(quads if side < 0 else quads[:, ::-1], dark, 0, 0, 2, np.tile([side, 0, 0], (3, 1))))
            parts += wheel(side * half * 1.005, z, shape.wheel, 0.02, 3, tone, fine)
    # The dark underside between the wheels.
    low = shape.profile[3][1]
    under = np.array([[-half * 0.9, 0.1, -length * 0.42], [-half * 0.9, 0.1, length * 0.42]])
    for at, back in ((length * 0.40, False), (-length * 0.40, True)):
        parts.append(panel(2, at, (-half * 0.86, 0.12), (half * 0.86, low + 0.15), dark, 0, 0, 0, back))
    for side in (-1, 1):
        parts.append(
            panel(0, side * half * 0.8, (under[0, 2], 0.14), (under[1, 2], low + 0.1), dark, 0, 0, 0, side < 0)
        )
    parts += _ends(rng, shape, paint, braking, lights, yellow_rear)
    if fine:
        parts += _seams(shape, paint)
    return join(*parts)


def _ends(
    rng: np.random.Generator, shape: Shape, paint: Array, braking: bool, lights: bool, yellow_rear: bool
) -> list[Part]:
    half, z = shape.width / 2, shape.length / 2
    front, rear = shape.profile[-3], shape.profile[1]
    parts = []
    lamp_y, lamp_h = front[2] - 0.17, rng.uniform(0.13, 0.2)
    glow = 3.0 if lights else 0.0
    wide = rng.uniform(0.3, 0.42)
    slant = z - shape.length * 0.02
    tall, y0 = shape.closed_sides or rng.random() < 0.35, rear[2] - rng.uniform(0.1, 0.2)
    for side in (-1, 1):
        x0, x1 = sorted((side * half * 0.86, side * (half * 0.86 - wide)))
        # Lamps lean back with the corner: the outer edge lies further behind.
        outer = slant - 0.16
        quad = np.array(
            [
                [x1, lamp_y - lamp_h, slant if side < 0 else outer],
                [x1, lamp_y + 0.02, (slant if side < 0 else outer) - 0.05],
                [x0, lamp_y + 0.02, (outer if side < 0 else slant) - 0.05],
                [x0, lamp_y - lamp_h, outer if side < 0 else slant],
            ]
        )
        quad[:, 2] += 0.06
        parts.append(make(quad[None], linear(205, 210, 214), 0.7, glow, 2))
        parts.append(
            panel(
                0,
                side * half * 0.965,
                (z - 0.42, lamp_y - lamp_h),
                (z - 0.2, lamp_y),
                linear(190, 180, 160),
                0.5,
                0,
                2,
                side < 0,
            )
        )
        y1 = rear[2] + (0.16 if tall and shape.rear_glass[0] < 1 else 0.04 if not tall else 0.0)
        r0, r1 = sorted((side * half * 0.92, side * half * (0.8 if tall else 0.62)))
        red = linear(132, 20, 20)
        parts.append(panel(2, -z - 0.015, (r0, y0), (r1, y1), red, 0.5, 0.9 if braking else 0.25 * lights, 2, True))
        parts.append(panel(2, -z - 0.017, (r0, y0), (r1, y0 + 0.09), linear(200, 190, 180), 0.4, 0, 2, True))
        parts.append(panel(0, side * half * 0.975, (-z + 0.02, y0), (-z + 0.18, y1), red * 0.7, 0.4, 0, 2, side < 0))
    grille = linear(20, 20, 22)
    parts.append(panel(2, z + 0.006, (-half * 0.45, lamp_y - lamp_h), (half * 0.45, lamp_y - 0.02), grille, 0.2))
    parts.append(panel(2, z + 0.006, (-half * 0.62, 0.27), (half * 0.62, 0.4), grille, 0.1))
    parts.append(panel(2, z + 0.012, (-0.26, 0.42), (0.26, 0.53), linear(220, 220, 214), 0.1))
    plate = linear(214, 180, 40) if yellow_rear else linear(220, 220, 214)
    plate_y = rear[2] - rng.choice([0.16, 0.34])
    parts.append(panel(2, -z - 0.016, (-0.26, plate_y - 0.06), (0.26, plate_y + 0.06), plate, 0.1, 0, 2, True))
    parts.append(
        panel(
            2,
            -z - 0.012,
            (-half * 0.85, rear[1] + 0.02),
            (half * 0.85, rear[1] + 0.12),
            linear(38, 38, 40),
            0.1,
            0,
            2,
            True,
        )
    )
    if shape.closed_sides:  # rear doors with windows and a seam
        top = shape.profile[1][3]
        for side in (-1, 1):
            x0, x1 = sorted((side * 0.08, side * half * 0.78))
            parts.append(
                panel(2, -z - 0.03, (x0, rear[2] + 0.15), (x1, top - 0.22), linear(34, 38, 42), 1.0, 0, 2, True)
            )
        parts.append(panel(2, -z - 0.03, (-0.012, 0.4), (0.012, top - 0.1), paint * 0.2, 0, 0, 2, True))
    return parts


def _seams(shape: Shape, paint: Array) -> list[Part]:
    """Door gaps, handles and mirrors."""
    half, length = shape.width / 2, shape.length
    parts = []
    belt, low = shape.profile[3][2], shape.profile[3][1]
    cowl = (shape.windscreen[1] - 0.5) * length
    for side in (-1, 1):
        x = side * half * 1.004
        for t in (*shape.pillars[:1], shape.windscreen[1] - 0.06):
            z = (t - 0.5) * length
            parts.append(
                panel(0, x, (z - 0.012, low + 0.08), (z + 0.012, belt - 0.06), paint * 0.15, 0, 0, 2, side < 0)
            )
            parts.append(
                panel(0, x, (z - 0.42, belt - 0.17), (z - 0.25, belt - 0.13), paint * 0.4, 0.3, 0, 2, side < 0)
            )
        parts.append(
            panel(0, x, (-length * 0.3, low + 0.2), (length * 0.3, low + 0.235), paint * 0.5, 0.1, 0, 2, side < 0)
        )
        for z, back in ((cowl - 0.32, True), (cowl - 0.18, False)):  # mirror, both faces
            x0, x1 = sorted((side * half * 0.98, side * (half + 0.18)))
            parts.append(
                panel(2, z, (x0, belt + 0.02), (x1, belt + 0.17), paint * (0.3 if back else 0.9), 0.4, 0, 0, back)
            )
        parts.append(
            panel(
                0,
                side * (half + 0.18),
                (cowl - 0.32, belt + 0.02),
                (cowl - 0.18, belt + 0.17),
                paint * 0.8,
                0.3,
                0,
                2,
                side < 0,
            )
        )
    return parts
