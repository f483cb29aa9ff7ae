"""Small solid things: quads with colours, joined, placed, lit and drawn back to front."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streetworld.basics import Array
from streetworld.canvas import Canvas


@dataclass(frozen=True)
class Mesh:
    """Quads in local metres: x right, y up, z forward, standing on y = 0.

    Faces with a higher `layer` are drawn over those with a lower one; within a layer far ones come first.
    """

    quads: Array  # (N, 4, 3), counter-clockwise as seen from outside
    albedo: Array  # (N, 3) linear
    gloss: Array  # (N,) 0 matt .. 1 mirror
    glow: Array  # (N,) own light: glow times albedo is emitted
    layer: Array  # (N,)
    normals: Array  # (N, 3) unit, outward


class Part(NamedTuple):
    """Quads (N, 4, 3) that share a colour, or have one each; cheap to make, for `join`."""

    quads: Array | list[list[list[float]]]
    albedo: Array  # (3,) or (N, 3)
    gloss: float | Array
    glow: float
    layer: int
    normals: Array | None


def make(
    quads: Array | list[list[list[float]]],
    albedo: Array,
    gloss: float | Array = 0.0,
    glow: float = 0.0,
    layer: int = 0,
    normals: Array | None = None,
) -> Part:
    """A part of quads (N, 4, 3); normals default to the faces' own."""
    return Part(quads, albedo, gloss, glow, layer, normals)


def join(*parts: Part) -> Mesh:
    """All parts as one mesh."""
    counts = [len(p.quads) for p in parts]
    quads = np.concatenate([np.asarray(p.quads, float) for p in parts])
    normals = np.cross(quads[:, 1] - quads[:, 3], quads[:, 2] - quads[:, 0])
    normals /= np.maximum(np.sqrt((normals * normals).sum(1, keepdims=True)), 1e-9)
    albedo = np.empty((len(quads), 3))
    gloss = np.empty(len(quads))
    start = 0
    for part, count in zip(parts, counts, strict=True):
        albedo[start : start + count] = part.albedo
        gloss[start : start + count] = part.gloss
        if part.normals is not None:
            normals[start : start + count] = part.normals
        start += count
    glow, layer = np.repeat([p.glow for p in parts], counts), np.repeat([p.layer for p in parts], counts)
    return Mesh(quads, albedo, gloss, glow, layer, normals)


_BOX = np.array(
    [
        [[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]],  # back: z low
        [[1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]],  # front: z high
        [[0, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]],  # left
        [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]],  # right
        [[0, 1, 0], [0, 1, 1], [1, 1, 1], [1, 1, 0]],  # top
        [[0, 0, 1], [0, 0, 0], [1, 0, 0], [1, 0, 1]],  # bottom
    ],
    float,
)


def box(
    low: tuple[float, float, float], high: tuple[float, float, float], albedo: Array, gloss: float = 0.0, layer: int = 0
) -> Part:
    """An upright box between two corners."""
    a, b = np.array(low), np.array(high)
    return make(a + _BOX * (b - a), albedo, gloss, 0.0, layer)


def panel(
    axis: int,
    at: float,
    low: tuple[float, float],
    high: tuple[float, float],
    albedo: Array,
    gloss: float = 0.0,
    glow: float = 0.0,
    layer: int = 2,
    back: bool = False,
) -> Part:
    """A rectangle at x = `at` (axis 0; low/high are (z, y)) or z = `at` (axis 2; low/high are (x, y)).

    It faces towards positive axis, or negative with `back`.
    """
    (p0, y0), (p1, y1) = low, high
    if axis == 2:
        quad = [[p1, y0, at], [p1, y1, at], [p0, y1, at], [p0, y0, at]]
    else:
        quad = [[at, y0, p0], [at, y1, p0], [at, y1, p1], [at, y0, p1]]
    if back:
        quad = quad[::-1]
    return make([quad], albedo, gloss, glow, layer)


def turned(heading: float) -> Array:
    """(3, 3) matrix M with local @ M = world for a thing whose z axis points along `heading`."""
    s, c = np.sin(heading), np.cos(heading)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def draw_mesh(
    canvas: Canvas, mesh: Mesh, x: float, z: float, heading: float, label: int, sunlit: float, y: float = 0.0
) -> None:
    """Put a mesh at world (x, y, z), light it and draw the faces that look at the camera."""
    matrix = turned(heading)
    quads = mesh.quads @ matrix + np.array([x, y, z])
    normals = mesh.normals @ matrix
    centres = quads.mean(1)
    to_eye = canvas.camera.position - centres
    # Culling goes by the true face, shading by the given normals.
    flat = np.cross(quads[:, 1] - quads[:, 3], quads[:, 2] - quads[:, 0])
    shown = (flat * to_eye).sum(1) > 0
    if not shown.any():
        return
    quads, normals, to_eye = quads[shown], normals[shown], to_eye[shown]
    distance = np.linalg.norm(to_eye, axis=1)
    view = to_eye / np.maximum(distance, 1e-6)[:, None]
    light = canvas.light
    albedo = mesh.albedo[shown]
    colour = light.shade(albedo, normals, view, mesh.gloss[shown], sunlit)
    if light.night:
        colour = colour + albedo * light.lamp_light(x, z) * np.clip(0.7 - 0.5 * normals[:, 1:2], 0.2, 1)
    glow = mesh.glow[shown][:, None]
    colour = colour + albedo * glow * (1.0 if not light.night else 1.6)
    # Less sky reaches what hangs low over the ground.
    height = quads[..., 1].mean(1) - y
    colour = colour * np.where(glow > 0, 1, 0.72 + 0.28 * np.clip(height / 0.9, 0, 1)[:, None])
    colour = light.through_air(colour, distance)
    order = np.lexsort((-distance, mesh.layer[shown]))
    canvas.faces(quads[order], colour[order], np.full(len(order), float(label)))
