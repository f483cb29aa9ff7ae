"""Round bars: limbs, poles and tubes as projected cones with a light and a dark side."""

from dataclasses import dataclass

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.camera import NEAR
from streetworld.canvas import Canvas, fixed
from streetworld.mesh import turned


@dataclass(frozen=True)
class Limb:
    """A cone with round ends between two local points (x right, y up, z forward), radii in metres."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    end_radius: float
    albedo: Array
    glow: float = 0.0


_ARC = np.linspace(-np.pi / 2, np.pi / 2, 5)
# Half circles ahead and behind, as (forward, sideways) shares of the radius.
_HEAD = np.stack([np.cos(_ARC), np.sin(_ARC)], 1)
_TAIL = -_HEAD


def _cones(a: Array, b: Array, ra: Array, rb: Array) -> Array:
    """Outlines (N, 10, 2) of cones between circles in the picture: centres (N, 2), radii (N,)."""
    forward = b - a
    length = np.sqrt((forward * forward).sum(1, keepdims=True))
    forward = np.where(length > 1e-6, forward / np.maximum(length, 1e-6), np.array([1.0, 0.0]))
    frame = np.stack([forward, np.stack([-forward[:, 1], forward[:, 0]], 1)], 1)
    return np.concatenate(
        [b[:, None] + rb[:, None, None] * (_HEAD @ frame), a[:, None] + ra[:, None, None] * (_TAIL @ frame)], 1
    )


def draw_limbs(
    canvas: Canvas,
    limbs: list[Limb],
    x: float,
    z: float,
    heading: float,
    label: int,
    sunlit: float,
    thinnest: float = 0.55,
    ordered: bool = True,
) -> None:
    """Put limbs at world (x, 0, z) and draw them, far ones first when `ordered`.

    `thinnest` is the least radius in pixels: thin poles stay visible, as they do to whoever labels them.
    """
    camera, light = canvas.camera, canvas.light
    ends = np.array([[limb.start, limb.end] for limb in limbs], float)
    view = camera.to_view(ends @ turned(heading) + np.array([x, 0.0, z]))
    depth = view[..., 2].mean(1)
    order = np.argsort(-depth, kind="stable") if ordered else np.arange(len(limbs))
    # Where the light comes from in the picture.
    beam = camera.axes[:2] @ light.sun_direction * (0.9 * sunlit)
    beam = beam * np.array([1.0, 0.5]) + np.array([0.0, -0.25])
    behind = max(float(camera.axes[2] @ light.sun_direction), 0.0)
    lamp = light.lamp_light(x, z) if light.night else 0.0
    low = light.ambient * 0.42 + light.sun * (0.08 * sunlit) + lamp * 0.3
    mid = light.ambient * 0.58 + light.sun * (sunlit * (0.38 - 0.22 * behind)) + lamp * 0.7
    high = light.ambient * 0.72 + light.sun * (sunlit * 0.75) + lamp
    order = order[view[order, :, 2].max(1) > NEAR + 0.1]
    if not len(order):
        return
    segments = view[order].copy()
    for segment in [
        segments[i] for i in np.flatnonzero(segments[..., 2].min(1) < NEAR + 0.1)
    ]:  # cut what is behind the camera
        k = int(segment[:, 2].argmin())
        t = (NEAR + 0.1 - segment[k, 2]) / (segment[1 - k, 2] - segment[k, 2])
        segment[k] += (segment[1 - k] - segment[k]) * t
    np.maximum(segments[..., 2], NEAR + 0.1, out=segments[..., 2])
    pixels = camera.view_to_pixels(segments)
    radii = np.array([[limb.radius, limb.end_radius] for limb in limbs])[order]
    radii = np.maximum(radii * camera.focal / segments[..., 2], thinnest)
    albedo = np.array([limb.albedo for limb in limbs])[order]
    glow = np.array([limb.glow for limb in limbs])[order]
    widest = radii.max(1)
    layers = []
    for step, tone in enumerate((low, mid, high)):
        shift = beam * (0.0, 0.24, 0.44)[step] * radii[..., None]
        ends_px, shrunk = pixels + shift, radii * (1.0, 0.74, 0.4)[step]
        outlines = fixed(_cones(ends_px[:, 0], ends_px[:, 1], shrunk[:, 0], shrunk[:, 1]))
        received = np.where(glow[:, None] > 0, glow[:, None], mid if step == 0 and widest.max() < 1.2 else tone)
        colours = light.through_air(albedo * received, depth[order])
        layers.append((outlines, np.column_stack([colours, np.full(len(order), float(label))]).tolist()))
    for i in range(len(order)):
        count = 1 if glow[i] or widest[i] < 1.2 else (2 if widest[i] < 2.2 else 3)
        for outlines, values in layers[:count]:
            cv2.fillConvexPoly(canvas.pixels, outlines[i], values[i], cv2.LINE_8, 4)
