"""The picture under work: linear colour and label in one array, so that both always get the same pixels."""

from collections.abc import Sequence

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.camera import NEAR, Camera, clip_near
from streetworld.light import Light

_SHIFT = 4
_FAR = 16000.0  # pixels: beyond this OpenCV's fixed-point coordinates would overflow


def fixed(pixels: Array) -> Array:
    """Pixels (..., 2) as OpenCV fixed-point integers; pixel centres lie at whole numbers there."""
    return np.round((np.clip(pixels, -_FAR, _FAR) - 0.5) * (1 << _SHIFT)).astype(np.int32)


class Canvas:
    """`pixels` is (H, W, 4) float32: linear red, green, blue, and the label id."""

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self.pixels = np.zeros((camera.image_height, camera.width, 4), np.float32)

    def outline(self, points: Array) -> Array | None:
        """World polygon (N, 3) -> fixed-point pixels, cut at the near plane; None when nothing is left."""
        view = clip_near(self.camera.to_view(points))
        return fixed(self.camera.view_to_pixels(view)) if len(view) >= 3 else None

    def faces(self, faces: Array, colours: Array, labels: Sequence[int] | Array) -> None:
        """Fill convex world polygons (N, K, 3) in the given order; colours (N, 3) are radiance as seen."""
        if not len(faces):
            return
        view = self.camera.to_view(faces)
        z = view[..., 2]
        whole = z.min(1) >= NEAR
        safe = view.copy()
        safe[..., 2] = np.maximum(z, NEAR)
        points = fixed(self.camera.view_to_pixels(safe))
        values = np.column_stack([colours, labels]).tolist()
        for i in np.flatnonzero(z.max(1) >= NEAR).tolist():
            if whole[i]:
                cv2.fillConvexPoly(self.pixels, points[i], values[i], cv2.LINE_8, _SHIFT)
            else:
                cut = clip_near(view[i])
                if len(cut) >= 3:
                    cv2.fillConvexPoly(
                        self.pixels, fixed(self.camera.view_to_pixels(cut)), values[i], cv2.LINE_8, _SHIFT
                    )

    def sees(self, points: Array) -> bool:
        """Whether the box around some world points (N, 3) may reach into the picture."""
        view = self.camera.to_view(points)
        if (view[:, 2] < NEAR).all():
            return False
        if (view[:, 2] < NEAR).any():
            return True
        pixels = self.camera.view_to_pixels(view)
        low, high = pixels.min(0), pixels.max(0)
        return bool((high >= 0).all() and low[0] <= self.camera.width and low[1] <= self.camera.image_height)

    def flat(self, pixels: Array, colour: Array, label: int) -> None:
        """Fill one polygon given in pixels (N, 2)."""
        cv2.fillPoly(self.pixels, [fixed(pixels)], (*map(float, colour), float(label)), cv2.LINE_8, _SHIFT)

    def coverage(self, points: Array) -> tuple[slice, slice, Array] | None:
        """Rows, columns and a uint8 0/1 mask of the pixels that a world polygon (N, 3) covers."""
        outline = self.outline(points)
        if outline is None:
            return None
        low = np.maximum(outline.min(0) // 16 - 1, 0)
        high = np.minimum(outline.max(0) // 16 + 2, [self.camera.width, self.camera.image_height])
        if (high <= low).any():
            return None
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(mask, [outline - low.astype(np.int32) * 16], 1, cv2.LINE_8, _SHIFT)
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])), mask

    def textured(
        self, corner: Array, across: Array, down: Array, texture: Array, region: Array | None = None
    ) -> tuple[slice, slice, Array, Array] | None:
        """Look a texture up where a world parallelogram covers the picture.

        `texture` (h, w, C) lies with its top left at `corner`, its right edge at corner + across, its bottom
        at corner + down. `region` (N, 2) in 0..1 texture coordinates restricts it. Returns rows, columns, the
        uint8 coverage mask and the texture as seen (float32), or None when nothing is seen.
        """
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]) if region is None else region
        found = self.coverage(corner + square[:, :1] * across + square[:, 1:] * down)
        if found is None:
            return None
        rows, cols, mask = found
        h, w = texture.shape[:2]
        place = self.camera.matrix @ np.stack([across / w, down / h, corner - self.camera.position], 1)
        # warpPerspective speaks of pixel centres at whole numbers on both sides.
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        shift = np.array([[1, 0, cols.start + 0.5], [0, 1, rows.start + 0.5], [0, 0, 1.0]])
        try:
            back = np.linalg.inv(half) @ np.linalg.inv(place) @ shift
        except np.linalg.LinAlgError:
            return None  # seen exactly from its edge
        seen = cv2.warpPerspective(
            texture,
            back,
            (mask.shape[1], mask.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return rows, cols, mask, np.asarray(seen)

    def paint(self, rows: slice, cols: slice, mask: Array, colour: Array, label: int) -> None:
        """Write radiance (h, w, 3) and the label where mask is not 0."""
        target = self.pixels[rows, cols]
        keep = mask.astype(bool)
        target[..., :3][keep] = colour[keep]
        target[..., 3][keep] = label
