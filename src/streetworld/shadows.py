"""Shadows on the ground: a map from above of how much sun and how much sky each place gets."""

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.light import Light

_PER_METRE = 8.0
_LEFT, _NEAR = -44.0, -16.0
_COLUMNS, _ROWS = 704, 1088  # 88 m x 136 m


class ShadowMap:
    """`sun` and `sky` are uint8 maps, 255 = all of it."""

    def __init__(self, light: Light) -> None:
        self.sun = np.full((_ROWS, _COLUMNS), 255, np.uint8)
        self.sky = np.full((_ROWS, _COLUMNS), 255, np.uint8)
        direction = light.sun_direction
        self.active = not light.night and float(light.sun.max()) > 0.15
        # Metres that a shadow moves for each metre of height, kept finite for a very low sun.
        self.per_height = -direction[[0, 2]] / max(float(direction[1]), 0.12)

    def _pixels(self, ground: Array) -> Array:
        points = (ground - [_LEFT, _NEAR]) * (_PER_METRE * 16)
        return np.round(np.clip(points, -1e6, 1e6)).astype(np.int32)

    def prism(self, footprint: Array, low: float, high: float) -> None:
        """Shadow of a footprint (N, 2) in x, z that stands between two heights."""
        if not self.active:
            return
        points = np.concatenate([footprint + self.per_height * low, footprint + self.per_height * high])
        hull = cv2.convexHull(self._pixels(points))
        cv2.fillConvexPoly(self.sun, hull, 0, cv2.LINE_8, 4)

    def pole(self, x: float, z: float, height: float, radius: float) -> None:
        """Shadow of something thin and upright."""
        if not self.active:
            return
        foot = np.array([x, z])
        ends = self._pixels(np.stack([foot, foot + self.per_height * height]))
        cv2.line(
            self.sun,
            tuple(ends[0].tolist()),
            tuple(ends[1].tolist()),
            60,
            max(1, round(radius * 2 * _PER_METRE)),
            cv2.LINE_AA,
            4,
        )

    def sprite(self, x: float, z: float, width: float, height: float, alpha: Array) -> None:
        """Shadow of an upright picture (h, w) uint8 that stands at (x, z)."""
        if not self.active:
            return
        up = self.per_height * height
        length = float(np.hypot(*up))
        if length < 0.1:
            return
        side = np.array([-up[1], up[0]]) / length * width / 2
        foot = np.array([x, z])
        corners = np.stack([foot - side + up, foot + side + up, foot - side])
        target = ((corners - [_LEFT, _NEAR]) * _PER_METRE).astype(np.float32)
        h, w = alpha.shape
        matrix = cv2.getAffineTransform(np.array([[0, 0], [w, 0], [0, h]], np.float32), target)
        all_corners = np.concatenate([target, target[1:2] + target[2:] - target[:1]])
        low = np.maximum(np.floor(all_corners.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(all_corners.max(0)).astype(int), [_COLUMNS, _ROWS])
        if (high <= low).any():
            return
        matrix[:, 2] -= low
        cover = cv2.warpAffine(alpha, matrix, (int(high[0] - low[0]), int(high[1] - low[1])))
        cut = self.sun[low[1] : high[1], low[0] : high[0]]
        np.minimum(cut, 255 - cover, out=cut)

    def contact(self, footprint: Array, darkness: float) -> None:
        """Dark ground right under something that stands on a footprint (N, 2)."""
        cv2.fillConvexPoly(self.sky, self._pixels(footprint), round(255 * (1 - darkness)), cv2.LINE_8, 4)

    def soften(self) -> None:
        """Give all edges their half-shadow; call once, after everything is in."""
        if self.active:
            self.sun = np.asarray(cv2.blur(self.sun, (3, 3)))
        self.sky = np.asarray(cv2.blur(self.sky, (5, 5)))

    def sunlit(self, x: float, z: float) -> float:
        """Share of sun at one place on the ground, 0..1."""
        col, row = round((x - _LEFT) * _PER_METRE), round((z - _NEAR) * _PER_METRE)
        inside = 0 <= col < _COLUMNS and 0 <= row < _ROWS
        return float(self.sun[row, col]) / 255 if inside and self.active else float(self.active)

    def look_up(self, x: Array, z: Array) -> tuple[Array, Array]:
        """Shares of sun and sky at ground points, float32 0..1."""
        col, row = (x - np.float32(_LEFT)) * _PER_METRE, (z - np.float32(_NEAR)) * _PER_METRE
        if self.active:
            sun = cv2.remap(self.sun, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=150)
        else:
            sun = np.zeros(x.shape, np.uint8)
        sky = cv2.remap(self.sky, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
        return sun.astype(np.float32) / 255, sky.astype(np.float32) / 255
