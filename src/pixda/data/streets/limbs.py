"""Round bars: limbs, poles and tubes as projected cones with a light and a dark side."""

from dataclasses import dataclass

import cv2
import numpy as np

from pixda.data.streets.basics import Array
from pixda.data.streets.camera import NEAR
from pixda.data.streets.canvas import Canvas, fixed
from pixda.data.streets.mesh import turned


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


def _cone(a: Array, b: Array, ra: float, rb: float) -> Array:
    """Outline (N, 2) of a cone between two circles in the picture."""
    d = b - a
    angle = float(np.arctan2(d[1], d[0]))
    head, tail = angle + _ARC, angle + np.pi + _ARC
    return np.concatenate(
        [
            b + rb * np.stack([np.cos(head), np.sin(head)], 1),
            a + ra * np.stack([np.cos(tail), np.sin(tail)], 1),
        ]
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
    for i in order.tolist():
        limb = limbs[i]
        segment = view[i]
        if segment[:, 2].max() < NEAR + 0.1:
            continue
        if segment[:, 2].min() < NEAR + 0.1:  # cut the part behind the camera
            k = int(segment[:, 2].argmin())
            t = (NEAR + 0.1 - segment[k, 2]) / (segment[1 - k, 2] - segment[k, 2])
            segment = segment.copy()
            segment[k] += (segment[1 - k] - segment[k]) * t
        a, b = camera.view_to_pixels(segment)
        ra = max(limb.radius * camera.focal / float(segment[0, 2]), thinnest)
        rb = max(limb.end_radius * camera.focal / float(segment[1, 2]), thinnest)
        far = float(depth[i])
        tones = [limb.albedo * t for t in ([limb.glow] if limb.glow else [low, mid, high])]
        widest = max(ra, rb)
        if widest < 1.2:
            tones = tones[len(tones) // 2 :][:1]
        elif widest < 2.2:
            tones = tones[:2]
        for step, tone in enumerate(tones):
            shrink = (1.0, 0.74, 0.4)[step]
            move = beam * (0.0, 0.24, 0.44)[step]
            outline = _cone(a + move * ra, b + move * rb, ra * shrink, rb * shrink)
            seen = light.through_air(tone, far)
            value = (float(seen[0]), float(seen[1]), float(seen[2]), float(label))
            cv2.fillConvexPoly(canvas.pixels, fixed(outline), value, cv2.LINE_8, 4)
