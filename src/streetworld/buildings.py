"""Buildings in the world: textured walls, roofs, chimneys, and what juts out of a front."""

from dataclasses import dataclass

import cv2
import numpy as np

from streetworld.basics import Array, Label, linear, stream
from streetworld.canvas import Canvas
from streetworld.city import City
from streetworld.facade import facade
from streetworld.mesh import Mesh, Part, box, draw_mesh, join, make, panel


@dataclass(frozen=True)
class Building:
    """A house whose front runs from `left` to `right` (world x, z), as seen by who faces it."""

    seed: int
    kind: str
    left: tuple[float, float]
    right: tuple[float, float]
    deep: float
    height: float
    floors: int
    roof: str  # "flat", "ridge" (along the front), "gable" (across it)
    rise: float  # height of the roof
    hidden: tuple[bool, bool] = (False, False)  # left, right side wall stands against a neighbour

    def footprint(self) -> Array:
        """(4, 2) x, z corners: front left, front right, back right, back left."""
        a, b = np.array(self.left), np.array(self.right)
        along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
        back = np.array([-along[1], along[0]]) * self.deep
        return np.stack([a, b, b + back, a + back])


ROOFS = [(92, 62, 50), (70, 68, 72), (84, 80, 76), (110, 74, 56), (60, 58, 60), (100, 92, 84)]


def _upright(corner: Array, height: float) -> Array:
    return np.array([corner[0], height, corner[1]])


def draw_wall(
    canvas: Canvas,
    a: Array,
    b: Array,
    height: float,
    texture: Array,
    label: int,
    shadow: float,
    base: float = 0.0,
    top: Array | None = None,
) -> None:
    """A textured wall from ground point a to b (x, z); `shadow` metres of its foot lie in the shade."""
    corner, across = _upright(a, base + height), np.array([b[0] - a[0], 0, b[1] - a[1]])
    down = np.array([0, -height, 0.0])
    found = canvas.textured(corner, across, down, texture, top)
    if found is None:
        return
    rows, cols, mask, seen = found
    light, camera = canvas.light, canvas.camera
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal)
    if normal @ (camera.position - corner) < 0:
        normal = -normal
    towards = max(float(normal @ light.sun_direction), 0.0)
    # Depth of the wall's plane in each pixel: 1 / depth is linear in the picture.
    inverse = np.linalg.inv(camera.matrix).T @ normal / float(normal @ (corner - camera.position))
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    x = np.arange(cols.start, cols.stop, dtype=np.float32)[None] + 0.5
    near = np.maximum(np.float32(inverse[0]) * x + np.float32(inverse[1]) * y + np.float32(inverse[2]), 1e-4)
    depth = 1 / near
    colour = seen[..., :3].astype(np.float32) * np.float32(1 / 255)
    colour *= colour
    glass = seen[..., 3:].astype(np.float32) * np.float32(1 / 255)
    received = (light.ambient * 0.5 + light.sun * towards).astype(np.float32)
    if shadow > 0 and towards > 0:
        ray = camera.axes[0, 1] * (x - camera.width / 2) + camera.axes[1, 1] * (y - camera.image_height / 2)
        level = camera.height + (ray / camera.focal + camera.axes[2, 1]) * depth
        lit = np.clip((level - shadow) * 2.5 + 0.5, 0, 1)[..., None]
        colour *= (light.ambient * 0.5).astype(np.float32) + (light.sun * towards).astype(np.float32) * lit
    else:
        colour *= received
    if light.night:
        middle = (a + b) / 2
        colour += (seen[..., :3].astype(np.float32) / 255) ** 2 * (0.5 * light.lamp_light(*middle))
        colour += np.where(seen[..., :1] > 90, (seen[..., :3] / np.float32(255)) ** 2 * 0.25, 0)
    # Glass shows the houses across the street low down and the sky higher up.
    mirrored = light.horizon * 0.25 + light.zenith * 0.2 + light.ambient * 0.05
    if towards > 0:
        mirrored = mirrored * 0.6
    colour += glass * mirrored.astype(np.float32) * np.float32(0.55)
    canvas.paint(rows, cols, mask, light.through_air(colour, depth), label)


def _roof(building: Building, rng: np.random.Generator, corners: Array, rows: int) -> Mesh:
    top = building.height
    fl, fr, br, bl = (_upright(c, top) for c in corners)
    r, g, b = ROOFS[int(rng.integers(len(ROOFS)))]
    tiles = linear(r, g, b)
    if building.roof == "flat":
        return join(make(np.array([[fl, bl, br, fr]]), linear(104, 104, 102)))
    lift = np.array([0, building.rise, 0])
    shade = [tiles * rng.uniform(0.85, 1.15) for _ in range(8)]
    if building.roof == "ridge":
        ra, rb = (fl + bl) / 2 + lift, (fr + br) / 2 + lift
        eave = (fl - bl) / max(building.deep, 1) * 0.25 - np.array([0, 0.12, 0])
        quads, colours = [], []
        for i in range(rows):
            t0, t1 = i / rows, (i + 1) / rows
            p, q = fl + eave, fr + eave
            quads.append([p + (ra - p) * t0, p + (ra - p) * t1, q + (rb - q) * t1, q + (rb - q) * t0])
            colours.append(shade[i])
        quads.append([br, rb, ra, bl])
        colours.append(tiles)
        slopes = make(np.array(quads), np.array(colours))
        wall = linear(130, 112, 96) * rng.uniform(0.6, 1.3)
        ends = make(np.array([[bl, ra, ra, fl], [fr, rb, rb, br]]), wall)
        return join(ends, slopes)
    middle_front, middle_back = (fl + fr) / 2 + lift, (bl + br) / 2 + lift
    return join(make(np.array([[bl, middle_back, middle_front, fl], [fr, middle_front, middle_back, br]]), tiles))


def draw_building(canvas: Canvas, building: Building, city: City, shadow: float) -> None:
    """Draw all of a building that can be seen; `shadow` is the height of the shade on a sunny front."""
    corners = building.footprint()
    camera = canvas.camera
    depth = (np.column_stack([corners[:, 0], np.zeros(4), corners[:, 1]]) - camera.position) @ camera.axes[2]
    if depth.max() < 0.5:
        return
    rng = stream(building.seed, 5)
    night = canvas.light.night
    eye = np.array([camera.x, 0.0])
    parts = []
    walls = canvas.camera.height < building.height
    for i, j, kind in ((1, 2, "plain"), (3, 0, "plain"), (2, 3, "plain"), (0, 1, building.kind)):
        a, b = corners[i], corners[j]
        outward = np.array([(b - a)[1], -(b - a)[0]])
        if outward @ (eye - a) <= 0:
            continue
        if walls and ((i == 3 and building.hidden[0]) or (i == 1 and building.hidden[1])):
            continue
        face = np.array([_upright(a, 0), _upright(b, 0), _upright(b, building.height), _upright(a, building.height)])
        if canvas.coverage(face) is None:
            continue
        length = float(np.linalg.norm(b - a))
        mean = max(float(depth[i] + depth[j]) / 2, 2.0)
        view = camera.to_view(face)
        view[:, 2] = np.maximum(view[:, 2], 1.5)
        seen = camera.view_to_pixels(view)
        most = 42.0 if i == 0 else 16.0
        wide = 1.5 * abs(float(seen[1, 0] - seen[0, 0])) / length
        tall = float(np.abs(seen[3:1:-1, 1] - seen[:2, 1]).max()) / building.height
        if wide * length * tall * building.height < 200:
            kind = "far"
        scale = (float(np.clip(wide, 1.2, most)), float(np.clip(tall, 2.0, most)))
        parts.append((mean, a, b, length, kind, scale, i))
    if not parts and walls:
        return
    seen_roof = _roof(building, rng, corners, 8 if depth.min() < 40 else 2)
    if building.roof != "flat" or camera.height > building.height:
        draw_mesh(canvas, seen_roof, 0, 0, 0, Label.BUILDING, 1.0)
    _extras(canvas, building, corners, True, float(depth.min()))
    for _, a, b, length, kind, scale, i in sorted(parts, key=lambda part: -part[0]):
        texture = facade(
            building.seed + (0 if i == 0 else i), city, kind, length, building.height, building.floors, scale, night
        )
        draw_wall(canvas, a, b, building.height, texture, Label.BUILDING, shadow)
        if i == 0 and building.roof == "gable":
            across = np.array([b[0] - a[0], 0, b[1] - a[1]])
            tip = np.array([[0, 1], [1, 1], [0.5, 0.0]])
            small = cv2.resize(texture[: max(8, texture.shape[0] // 3)], None, fx=0.5, fy=0.5)
            draw_wall(canvas, a, a + across[[0, 2]], building.rise, small, Label.BUILDING, 0.0, building.height, tip)
    if any(part[-1] == 0 for part in parts):
        _extras(canvas, building, corners, False, float(depth.min()))


def _extras(canvas: Canvas, building: Building, corners: Array, above: bool, depth: float) -> None:
    """Chimneys and dormers (`above` the walls, which hide their feet), or awnings and hanging signs.

    All in the house's own metres: x along the front from its left corner, y up, z into the house.
    """
    rng = stream(building.seed, 7, int(above))
    a, b = corners[0], corners[1]
    length = float(np.linalg.norm(b - a))
    along = (b - a) / max(length, 1e-6)
    parts = (_on_roof if above else _on_front)(building, rng, length) if depth < (90 if above else 55) else []
    if not parts:
        return
    sunny = float(np.array([along[1], 0, -along[0]]) @ canvas.light.sun_direction) > 0
    heading = float(np.arctan2(-along[1], along[0]))
    draw_mesh(canvas, join(*parts), float(a[0]), float(a[1]), heading, Label.BUILDING, 1.0 if above else float(sunny))


def _on_roof(building: Building, rng: np.random.Generator, length: float) -> list[Part]:
    top, parts = building.height, []
    if building.roof == "flat":
        if rng.random() < 0.5:
            w, x, z = rng.uniform(1, 3), length * rng.uniform(0.2, 0.8), building.deep / 2
            tone = linear(150, 150, 150) * rng.uniform(0.4, 1)
            parts.append(box((x - w, top, z - 1), (x + w, top + rng.uniform(0.8, 2.4), z + 1.5), tone))
        return parts
    brick = linear(126, 84, 66) * rng.uniform(0.5, 1.3)
    peak, z = top + building.rise * 0.6 + 1.6, building.deep * 0.45
    for x in (0.04 * length, 0.96 * length):
        if rng.random() < 0.55:
            parts.append(box((x - 0.35, top, z - 0.6), (x + 0.35, peak, z + 0.6), brick))
            parts.append(box((x - 0.12, peak, z - 0.15), (x + 0.12, peak + 0.4, z + 0.15), linear(150, 92, 70)))
    if building.roof == "ridge" and rng.random() < 0.3:
        for x in length * np.arange(0.2, 1.0, 0.35):
            low = top + 0.2
            parts.append(box((x - 0.7, low, 0.9), (x + 0.7, low + 1.5, 3.0), linear(96, 94, 96)))
            parts.append(
                panel(2, 0.88, (x - 0.5, low + 0.3), (x + 0.5, low + 1.3), linear(40, 46, 54), 0.8, 0, 1, True)
            )
    return parts


def _on_front(building: Building, rng: np.random.Generator, length: float) -> list[Part]:
    parts: list[Part] = []
    if building.kind != "shops":
        return parts
    for t in np.arange(2.0, length - 2, 4.0):
        kind = rng.random()
        if kind < 0.22:
            w, out, low = rng.uniform(1.2, 1.9), rng.uniform(0.8, 1.5), rng.uniform(2.2, 2.5)
            stripe = np.clip(rng.uniform(0.02, 0.6, 3) * rng.uniform(0.3, 1), 0.01, 0.7)
            quads, colours = [], []
            for i in range(8):
                p, q = t - w + 2 * w * i / 8, t - w + 2 * w * (i + 1) / 8
                quads.append([[p, low, -out], [p, low + 0.75, 0], [q, low + 0.75, 0], [q, low, -out]])
                quads.append([[p, low - 0.2, -out], [p, low, -out], [q, low, -out], [q, low - 0.2, -out]])
                colours += [stripe if i % 2 else np.full(3, 0.6)] * 2
            parts.append(make(np.array(quads), np.array(colours)))
        elif kind < 0.5:
            face = np.clip(rng.uniform(0.02, 0.7, 3), 0.02, 0.7)
            parts.append(box((t - 0.05, 2.7, -0.95), (t + 0.05, 3.5 + rng.uniform(0, 0.6), -0.1), face))
    return parts
