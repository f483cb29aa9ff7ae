"""A pinhole camera in the world: x to the right, y up, z along the street, metres."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streetworld.basics import Array

NEAR = 0.25  # metres: what lies nearer is cut off


@dataclass(frozen=True)
class Camera:
    """Place, direction (radians; pitch > 0 looks up) and focal length (pixels) of a camera."""

    x: float
    height: float
    yaw: float
    pitch: float
    roll: float
    focal: float
    width: int
    image_height: int

    @cached_property
    def position(self) -> Array:
        """(3,) world position."""
        return np.array([self.x, self.height, 0.0])

    @cached_property
    def axes(self) -> Array:
        """(3, 3) rows: right, down and forward in the world."""
        sy, cy, sp, cp = np.sin(self.yaw), np.cos(self.yaw), np.sin(self.pitch), np.cos(self.pitch)
        forward = np.array([sy * cp, sp, cy * cp])
        right = np.array([cy, 0.0, -sy])
        up = np.cross(forward, right)
        sr, cr = np.sin(self.roll), np.cos(self.roll)
        return np.stack([cr * right + sr * up, sr * right - cr * up, forward])

    @cached_property
    def matrix(self) -> Array:
        """(3, 3): world direction -> homogeneous pixel."""
        k = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.image_height / 2], [0, 0, 1.0]])
        return k @ self.axes

    def to_view(self, points: Array) -> Array:
        """World points (..., 3) -> camera space (right, down, forward)."""
        return np.asarray((points - self.position) @ self.axes.T)

    def view_to_pixels(self, view: Array) -> Array:
        """Camera-space points in front of the near plane (..., 3) -> pixels (..., 2)."""
        centre = np.array([self.width / 2, self.image_height / 2])
        return np.asarray(view[..., :2] * (self.focal / view[..., 2:]) + centre)

    def depth(self, x: float, y: float, z: float) -> float:
        """Distance of a world point along the optical axis."""
        forward = self.axes[2]
        return float((x - self.x) * forward[0] + (y - self.height) * forward[1] + z * forward[2])

    def rays(self) -> Array:
        """(H, W, 3) float32 world directions through the pixel centres, forward component 1."""
        a = self.axes.astype(np.float32)
        u = ((np.arange(self.width, dtype=np.float32) + 0.5) - self.width / 2) / np.float32(self.focal)
        v = ((np.arange(self.image_height, dtype=np.float32) + 0.5) - self.image_height / 2) / self.focal
        across = u[None, :, None] * a[0] + a[2]
        return np.asarray(across + v.astype(np.float32)[:, None, None] * a[1])


def clip_near(view: Array) -> Array:
    """Camera-space polygon (N, 3) cut at the near plane -> (M, 3), M may be 0."""
    inside = view[:, 2] >= NEAR
    if inside.all():
        return view
    if not inside.any():
        return view[:0]
    points = []
    for i in range(len(view)):
        a, b = view[i - 1], view[i]
        if inside[i - 1] != inside[i]:
            points.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
        if inside[i]:
            points.append(b)
    return np.array(points)
