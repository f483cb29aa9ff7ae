"""A scene: the things of one frame, each able to draw itself and to cast its shadow."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streetworld.basics import Array, Domain, linear
from streetworld.camera import Camera
from streetworld.canvas import Canvas
from streetworld.city import City
from streetworld.light import Light
from streetworld.plan import StreetPlan
from streetworld.shadows import ShadowMap


@dataclass(frozen=True)
class Thing:
    """Something that stands on the ground points `base` (N, 2), world x and z.

    Walls and houses go by their farthest point when things are ordered from far to near, others by their
    middle: what stands in front of a long wall is nearer than the wall's far end.
    """

    base: Array
    draw: Callable[[Canvas, float], None]  # canvas, share of sun that reaches it
    cast: Callable[[ShadowMap], None] | None = None
    long: bool = False
    tall: bool = False  # its shadow falls on other things too

    def depth(self, camera: Camera) -> float:
        """Sort key: metres along the optical axis, on the ground."""
        forward = camera.axes[2][[0, 2]]
        forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
        along = (self.base - [camera.x, 0.0]) @ forward
        return float(along.max() if self.long else along.mean())


@dataclass
class Scene:
    """Everything that makes a frame, before it is drawn."""

    domain: Domain
    city: City
    plan: StreetPlan
    light: Light
    camera: Camera
    odd: str
    saturation: float
    things: list[Thing] = field(default_factory=list)
    crossings: list[float] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)  # u, s, half width, half length
    grass: Array = field(default_factory=lambda: linear(80, 100, 50))

    def free(self, u: float, s: float, half_width: float, half_length: float, keep: bool = True) -> bool:
        """Whether a place on the ground is free; takes it if so and `keep`."""
        x, z = self.plan.point(u, s)
        if abs(x - self.camera.x) < half_width + 0.9 and abs(z) < half_length + 2.2 and self.camera.height < 5:
            return False
        for other_u, other_s, w, length in self.taken:
            if abs(u - other_u) < w + half_width and abs(s - other_s) < length + half_length:
                return False
        if keep:
            self.taken.append((u, s, half_width, half_length))
        return True
