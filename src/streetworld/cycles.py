"""Bicycles and motorcycles: wheels that one sees through, tubes, tanks and saddles."""

import cv2
import numpy as np

from streetworld.basics import Array, Label, linear
from streetworld.canvas import Canvas
from streetworld.limbs import Limb, draw_limbs
from streetworld.mesh import turned

_TURN = np.linspace(0, 2 * np.pi, 21)[:20]


def _wheel(
    canvas: Canvas, x: float, z: float, heading: float, at: float, radius: float, tyre: float, label: int, veil: float
) -> None:
    """One wheel: its disc belongs to the label, `veil` of it hides what is behind; then the tyre."""
    ring = np.stack([np.zeros(20), radius + radius * np.cos(_TURN), at + radius * np.sin(_TURN)], 1)
    world = ring @ turned(heading) + np.array([x, 0.0, z])
    found = canvas.coverage(world)
    if found is None:
        return
    rows, cols, mask = found
    cut = canvas.pixels[rows, cols]
    inside = mask.astype(bool)
    dark = canvas.light.ambient * np.float32(0.06)
    cut[..., :3][inside] += (dark - cut[..., :3][inside]) * np.float32(veil)
    cut[..., 3][inside] = label
    depth = max(canvas.camera.depth(x, radius, z), 0.5)
    outline = canvas.outline(world)
    if outline is None:
        return
    colour = canvas.light.through_air(canvas.light.ambient * np.float32(0.018), depth)
    thick = max(1, round(tyre * canvas.camera.focal / depth))
    cv2.polylines(canvas.pixels, [outline], True, (*map(float, colour), float(label)), thick, cv2.LINE_8, 4)


def draw_bicycle(canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, sunlit: float) -> None:
    """A bicycle standing or rolling at world (x, z)."""
    r, g, b = rng.uniform(20, 190, 3)
    frame, metal, dark = linear(r, g, b), linear(150, 150, 152), linear(26, 26, 28)
    for at in (-0.52, 0.52):
        _wheel(canvas, x, z, heading, at, 0.34, 0.04, Label.BICYCLE, 0.22)
    saddle, crank, head, fork = (0, 0.9, -0.2), (0, 0.3, -0.05), (0, 0.86, 0.36), (0, 0.34, 0.52)
    rear = (0, 0.34, -0.52)
    tubes = [(crank, saddle), (crank, head), (saddle, head), (rear, crank), (rear, saddle)]
    limbs = [Limb(a, b, 0.022, 0.02, frame) for a, b in tubes]
    limbs += [Limb(head, fork, 0.02, 0.015, frame), Limb(head, (0, 1.02, 0.34), 0.018, 0.018, metal)]
    limbs += [Limb((-0.28, 1.03, 0.33), (0.28, 1.03, 0.33), 0.02, 0.02, dark)]
    limbs += [
        Limb((0, 0.95, -0.3), (0, 0.95, -0.06), 0.055, 0.03, dark),
        Limb((0, 0.3, -0.12), (0, 0.3, 0.02), 0.09, 0.09, dark),
    ]
    if rng.random() < 0.4:
        limbs.append(Limb((-0.14, 0.82, 0.58), (0.14, 0.82, 0.58), 0.13, 0.13, linear(110, 90, 66)))
    if rng.random() < 0.5:  # mudguards
        limbs.append(Limb((0, 0.72, -0.5), (0, 0.6, -0.78), 0.025, 0.025, dark))
    draw_limbs(canvas, limbs, x, z, heading, Label.BICYCLE, sunlit, 0.4)


def draw_motorcycle(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, sunlit: float
) -> None:
    """A motorcycle or scooter at world (x, z)."""
    r, g, b = rng.uniform(20, 200, 3) if rng.random() < 0.7 else (30, 30, 32)
    paint, dark, metal = linear(r, g, b), linear(28, 28, 30), linear(140, 142, 146)
    scooter = rng.random() < 0.4
    radius = 0.24 if scooter else 0.31
    for at in (-0.66, 0.66):
        _wheel(canvas, x, z, heading, at, radius, 0.1, Label.MOTORCYCLE, 0.85)
    limbs: list[Limb]
    if scooter:
        limbs = [
            Limb((0, 0.5, -0.7), (0, 0.55, -0.1), 0.2, 0.17, paint),
            Limb((0, 0.3, 0.05), (0, 0.28, 0.4), 0.13, 0.12, paint * 0.8),
            Limb((0, 0.35, 0.45), (0, 0.95, 0.34), 0.19, 0.15, paint),
            Limb((0, 0.76, -0.7), (0, 0.78, 0.0), 0.13, 0.11, dark),
        ]
    else:
        limbs = [
            Limb((0, 0.4, -0.25), (0, 0.45, 0.3), 0.19, 0.2, dark),
            Limb((0, 0.45, -0.1), (0, 0.4, 0.2), 0.14, 0.13, metal * 0.6),
            Limb((0, 0.78, -0.02), (0, 0.82, 0.32), 0.14, 0.16, paint),
            Limb((0, 0.78, -0.65), (0, 0.78, -0.1), 0.1, 0.13, dark),
            Limb((0.16, 0.34, -0.1), (0.18, 0.38, -0.8), 0.05, 0.07, metal),
        ]
    limbs += [
        Limb((0.08, 0.9, 0.42), (0.08, radius, 0.66), 0.035, 0.035, metal),
        Limb((-0.08, 0.9, 0.42), (-0.08, radius, 0.66), 0.035, 0.035, metal),
        Limb((-0.33, 1.04, 0.34), (0.33, 1.04, 0.34), 0.03, 0.03, dark),
        Limb((0, 0.9, 0.5), (0, 0.9, 0.56), 0.11, 0.1, linear(190, 192, 194)),
        Limb((-0.36, 1.2, 0.36), (-0.36, 1.22, 0.36), 0.06, 0.05, dark),
        Limb((0.36, 1.2, 0.36), (0.36, 1.22, 0.36), 0.06, 0.05, dark),
        Limb((0, 0.72, -0.8), (0, 0.7, -0.82), 0.06, 0.06, linear(160, 20, 18)),
    ]
    draw_limbs(canvas, limbs, x, z, heading, Label.MOTORCYCLE, sunlit, 0.4)


def bicycle_outline(x: float, z: float, heading: float) -> Array:
    """Ground footprint (4, 2) for shadows."""
    local = np.array([[-0.1, 0, -0.8], [0.1, 0, -0.8], [0.1, 0, 0.8], [-0.1, 0, 0.8]])
    return np.asarray((local @ turned(heading))[:, [0, 2]] + [x, z])
