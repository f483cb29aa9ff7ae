"""Everything painted on or let into the road, as masks in the picture."""

from itertools import pairwise

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.camera import Camera, clip_near
from streetworld.canvas import fixed
from streetworld.plan import StreetPlan


class RoadPaint:
    """uint8 coverage masks (H, W) with smooth edges: white, yellow, patch (repairs), dark (cracks, iron)."""

    def __init__(self, camera: Camera, plan: StreetPlan) -> None:
        self.camera, self.plan = camera, plan
        shape = (camera.image_height, camera.width)
        self.white, self.yellow, self.patch, self.dark = (np.zeros(shape, np.uint8) for _ in range(4))

    def polygon(self, mask: Array, outline: list[tuple[float, float]], value: int = 255) -> None:
        """Fill street coordinates (u, s) on the road."""
        points = np.array([(x, 0.0, z) for x, z in (self.plan.point(u, s) for u, s in outline)])
        view = clip_near(self.camera.to_view(points))
        if len(view) >= 3:
            cv2.fillPoly(mask, [fixed(self.camera.view_to_pixels(view))], value, cv2.LINE_AA, 4)

    def bar(self, mask: Array, u0: float, u1: float, s0: float, s1: float, value: int = 255) -> None:
        """A bar; long ones are cut so that they follow a bend."""
        pieces = 1 if abs(self.plan.bend) < 1e-6 else max(1, int((s1 - s0) / 6))
        edges = np.linspace(s0, s1, pieces + 1)
        for a, b in pairwise(edges):
            self.polygon(mask, [(u0, a), (u1, a), (u1, b), (u0, b)], value)

    def line(
        self, mask: Array, u: float, width: float, dash: float, space: float, spans: list[tuple[float, float]]
    ) -> None:
        """A line along the street, whole (space 0) or dashed, within spans of s."""
        for start, stop in spans:
            if not space:
                self.bar(mask, u - width / 2, u + width / 2, start, stop)
                continue
            s = start + (dash + space) * 0.3
            while s < min(stop, 90):
                self.bar(mask, u - width / 2, u + width / 2, s, min(s + dash, stop))
                s += dash + space


def _spans(plan: StreetPlan, side: int) -> list[tuple[float, float]]:
    """Stretches of the main street without a side street on that side (0: no matter which)."""
    spans, start = [], 0.3
    for j in plan.junctions:
        if side and j.side not in (0, side):
            continue
        stop = j.at - j.width / 2 - (plan.corner * 0.6 if side else 1.5)
        if stop > start:
            spans.append((start, stop))
        start = max(start, j.at + j.width / 2 + (plan.corner * 0.6 if side else 1.5))
    spans.append((start, min(plan.end - 3, 140)))
    return [(a, b) for a, b in spans if b > a]


def _arrow(paint: RoadPaint, u: float, s: float, turn: int) -> None:
    paint.bar(paint.white, u - 0.08, u + 0.08, s, s + 2.6)
    if turn == 0:
        paint.polygon(paint.white, [(u - 0.35, s + 2.5), (u + 0.35, s + 2.5), (u, s + 4.2)])
    else:
        paint.polygon(paint.white, [(u, s + 2.0), (u, s + 2.6), (u + turn * 0.5, s + 3.1), (u + turn * 0.5, s + 2.5)])
        tip = u + turn * 1.1
        paint.polygon(paint.white, [(u + turn * 0.45, s + 3.6), (u + turn * 0.45, s + 2.0), (tip, s + 3.0)])


def _wear(paint: RoadPaint, rng: np.random.Generator, age: float) -> None:
    """Repairs, trenches, cracks and covers."""
    half = paint.plan.half_width
    for _ in range(rng.poisson(4 * age + 1)):
        u, s = rng.uniform(-half, half), rng.uniform(2, 45)
        w, length = (rng.uniform(0.5, 2.5), rng.uniform(1, 6)) if rng.random() < 0.6 else (0.6, rng.uniform(8, 40))
        u = float(np.clip(u, -half + w, half - w))
        paint.bar(paint.patch, u - w / 2, u + w / 2, s, s + length, int(rng.integers(90, 255)))
        if rng.random() < 0.6:  # sealed edge
            for edge in (u - w / 2, u + w / 2):
                paint.bar(paint.dark, edge - 0.02, edge + 0.02, s, s + length, 110)
    for _ in range(rng.poisson(2 + 9 * age)):
        u, s = rng.uniform(-half, half), rng.uniform(2, 35)
        along = rng.random() < 0.6
        for _ in range(int(rng.integers(4, 14))):
            du = rng.normal(0, 0.12) if along else rng.uniform(0.1, 0.5)
            ds = rng.uniform(0.3, 1.2) if along else rng.normal(0, 0.25)
            half_u, half_s = (0.012, 0.0) if along else (0.0, 0.03)
            if abs(u + du) < half:
                outline = [(u - half_u, s - half_s), (u + half_u, s + half_s)]
                outline += [(u + du + half_u, s + ds + half_s), (u + du - half_u, s + ds - half_s)]
                paint.polygon(paint.dark, outline, int(rng.integers(60, 150)))
            u, s = u + du, s + ds
    for _ in range(rng.poisson(2.5)):  # iron covers and gully grates
        u, s, r = rng.uniform(-half + 0.6, half - 0.6), rng.uniform(3, 40), rng.uniform(0.25, 0.4)
        if rng.random() < 0.5:
            turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
            ring = [(u + r * np.cos(a), s + r * np.sin(a)) for a in turn]
            paint.polygon(paint.dark, ring, 190)
            paint.polygon(paint.dark, [(u + (p - u) * 0.85, s + (q - s) * 0.85) for p, q in ring], 110)
        else:
            side = float(np.sign(u)) * (half - 0.25)
            paint.bar(paint.dark, side - 0.2, side + 0.2, s, s + 0.45, 200)


def paint_road(rng: np.random.Generator, camera: Camera, plan: StreetPlan, age: float, yellow: bool) -> RoadPaint:
    """Draw the markings and wear of a street; `age` 0 new .. 1 worn."""
    paint = RoadPaint(camera, plan)
    half = plan.half_width
    _wear(paint, rng, age)
    middle = _spans(plan, 0)
    style = rng.integers(4)
    inner = max(plan.median + 0.3, 0.0)
    if plan.median:
        for u in (-inner, inner):
            paint.line(paint.white, u, 0.12, 1, 0, middle)
    elif style == 0:
        paint.line(paint.white, 0, 0.12, 2, 4, middle)
    elif style == 1:
        paint.line(paint.white, 0, 0.12, 4, 2, middle)
    elif style == 2:
        paint.line(paint.white, 0, 0.12, 1, 0, middle)
    if plan.lanes == 2:
        for side in (-1, 1):
            paint.line(paint.white, side * (inner + half) / 2, 0.11, 2, 4, middle)
    for side, index in ((-1, 0), (1, 1)):
        spans = _spans(plan, side)
        if plan.cycle_lane[index]:
            paint.line(paint.white, side * (half - 1.5), 0.15, 1.5, 1.5 if rng.random() < 0.5 else 0, spans)
        if plan.parking[index]:
            paint.line(paint.white, side * (half - 2.15), 0.08, 1.2, 1.2, spans)
            for s in np.arange(1.0, 60.0, 5.6):
                if not plan.is_open(side, float(s), 4):
                    paint.bar(paint.white, side * half - side * 2.1, side * half, s, s + 0.09)
        elif yellow:
            for u in (half - 0.3, half - 0.52)[: 1 + int(rng.random() < 0.7)]:
                paint.line(paint.yellow, side * u, 0.09, 1, 0, spans)
        elif rng.random() < 0.4:
            paint.line(paint.white, side * (half - 0.3), 0.1, 1, 0, spans)
    if plan.tram:
        for u in (-2.4, -0.9, 0.9, 2.4):
            paint.line(paint.dark, u, 0.09, 1, 0, [(0.3, 140)])
    own = -1 if plan.drives_left else 1
    for j in plan.junctions:
        near = j.at - j.width / 2 - 1.5
        if rng.random() < 0.45 and near > 2:  # stop line of the own direction
            paint.bar(paint.white, min(0, own * half), max(0, own * half), near - 0.3, near)
        if j.side and rng.random() < 0.8:  # give-way dashes along the mouth of the side street
            for s in np.arange(j.at - j.width / 2, j.at + j.width / 2, 0.9):
                paint.bar(paint.white, j.side * (half + 0.3) - 0.1, j.side * (half + 0.3) + 0.1, s, s + 0.55)
        elif rng.random() < 0.2:  # box junction
            for k in np.arange(-half, half, 1.1):
                for lean in (-1, 1):
                    a, b = (k, j.at - j.width / 2), (k + lean * j.width * 0.8, j.at + j.width / 2)
                    paint.polygon(paint.yellow, [a, (a[0] + 0.12, a[1]), (b[0] + 0.12, b[1]), b])
    for _ in range(int(rng.integers(0, 3))):
        lane = rng.uniform(0.25, 0.75) * half
        direction = own if rng.random() < 0.7 else -own
        _arrow(paint, direction * lane, rng.uniform(5, 28), int(rng.choice([0, 0, -1, 1])))
    return paint


def paint_crossing(paint: RoadPaint, at: float, length: float) -> None:
    """A zebra crossing at s = at, `length` metres deep."""
    half = paint.plan.half_width
    for u in np.arange(-half + 0.3, half - 0.3, 1.0):
        paint.bar(paint.white, u, u + 0.5, at, at + length)
