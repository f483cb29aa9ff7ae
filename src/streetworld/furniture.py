"""Things along the street: lights, traffic lights, signs, bollards, boxes, fences and garden walls."""

import numpy as np

from streetworld.basics import Array, Label, linear
from streetworld.buildings import draw_wall
from streetworld.canvas import Canvas
from streetworld.limbs import Limb, draw_limbs
from streetworld.mesh import box, draw_mesh, join, turned
from streetworld.noise import patch

_RING = np.linspace(0, 2 * np.pi, 17)[:16]


def draw_lamp(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, height: float, sunlit: float
) -> None:
    """A street light whose arm points along local +z, over the road."""
    tone = float(rng.choice([34, 60, 110, 140]))
    metal = linear(tone, tone * 1.02, tone)
    reach = rng.uniform(0.6, 2.2)
    kind = rng.integers(3)
    top = (0.0, height, 0.0)
    limbs = [Limb((0, 0, 0), (0, 1.3, 0), 0.11, 0.1, metal), Limb((0, 1.2, 0), top, 0.075, 0.05, metal)]
    glow = 5.0 if canvas.light.night else 0.0
    shine = linear(255, 214, 150) if glow else linear(190, 192, 190)
    if kind == 0:
        end = (0.0, height + 0.35, reach)
        limbs += [
            Limb(top, end, 0.05, 0.04, metal),
            Limb((0, height + 0.36, reach), (0, height + 0.38, reach + 0.7), 0.09, 0.07, metal),
        ]
        limbs += [Limb((0, height + 0.29, reach + 0.1), (0, height + 0.31, reach + 0.55), 0.06, 0.05, shine, glow)]
    elif kind == 1:
        limbs += [
            Limb(top, (0, height + 0.6, reach * 0.5), 0.05, 0.045, metal),
            Limb((0, height + 0.6, reach * 0.5), (0, height + 0.6, reach), 0.045, 0.04, metal),
        ]
        limbs += [
            Limb((0, height + 0.55, reach), (0, height + 0.55, reach + 0.5), 0.1, 0.08, metal),
            Limb((0, height + 0.47, reach + 0.1), (0, height + 0.47, reach + 0.4), 0.06, 0.06, shine, glow),
        ]
    else:
        limbs += [
            Limb(top, (0, height + 0.12, 0), 0.18, 0.22, metal),
            Limb((0, height + 0.3, 0), (0, height + 0.34, 0), 0.16, 0.14, shine, glow),
        ]
    draw_limbs(canvas, limbs, x, z, heading, Label.POLE, sunlit, ordered=False)


def draw_traffic_light(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, state: int, sunlit: float
) -> None:
    """A signal on its pole; its face looks along local -z. `state` 0 red, 1 amber, 2 green."""
    metal = linear(*([rng.choice([40, 60, 120])] * 3))
    height = rng.uniform(2.2, 2.7)
    draw_limbs(canvas, [Limb((0, 0, 0), (0, height + 0.9, 0), 0.06, 0.055, metal)], x, z, heading, Label.POLE, sunlit)
    black = linear(24, 25, 26)
    if rng.random() < 0.5:
        board = box((-0.32, height - 0.12, -0.1), (0.32, height + 1.1, -0.06), linear(30, 30, 31))
        rim = box((-0.35, height - 0.15, -0.06), (0.35, height + 1.13, -0.03), linear(210, 210, 208))
        draw_mesh(canvas, join(rim), x, z, heading, Label.TRAFFIC_LIGHT, sunlit)
        draw_mesh(canvas, join(board), x, z, heading, Label.TRAFFIC_LIGHT, sunlit)
    body = box((-0.17, height, -0.32), (0.17, height + 0.98, -0.1), black, 0.15)
    draw_mesh(canvas, join(body), x, z, heading, Label.TRAFFIC_LIGHT, sunlit)
    facing = (canvas.camera.position - [x, height, z]) @ (np.array([0, 0, -1.0]) @ turned(heading)) > 0
    if not facing:
        return
    lamps = [((255, 50, 40), 0.8), ((255, 170, 40), 0.48), ((60, 255, 150), 0.16)]
    limbs = []
    for i, ((r, g, b), y) in enumerate(lamps):
        on = i == state
        colour = linear(r, g, b)
        at = (0.0, height + y, -0.33)
        limbs.append(Limb(at, at, 0.115, 0.115, colour if on else colour * 0.05 + 0.004, 2.6 if on else 0.0))
    draw_limbs(canvas, limbs, x, z, heading, Label.TRAFFIC_LIGHT, sunlit * 0.3, 0.4)


def _plate(canvas: Canvas, outline: Array, colour: Array, x: float, z: float, heading: float, light: Array) -> None:
    points = outline @ turned(heading) + np.array([x, 0, z])
    distance = float(np.linalg.norm(points.mean(0) - canvas.camera.position))
    seen = canvas.light.through_air(colour * light, distance)
    canvas.faces(points[None], seen[None], [Label.TRAFFIC_SIGN])


def draw_sign(canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, sunlit: float) -> None:
    """A road sign on a post; its face looks along local -z."""
    metal = linear(*([rng.uniform(90, 160)] * 3))
    height = rng.uniform(2.0, 2.8)
    kind = int(rng.integers(6))
    size = rng.uniform(0.28, 0.42)
    big = kind == 5
    draw_limbs(
        canvas, [Limb((0, 0, 0), (0, height + size * 1.6, 0), 0.04, 0.04, metal)], x, z, heading, Label.POLE, sunlit
    )
    normal = np.array([0, 0, -1.0]) @ turned(heading)
    to_eye = canvas.camera.position - np.array([x, height, z])
    back = float(normal @ to_eye) < 0
    sun = max(float((-normal if back else normal) @ canvas.light.sun_direction), 0.0) * sunlit
    light = canvas.light.ambient * 0.65 + canvas.light.sun * sun
    if canvas.light.night:
        light = light + canvas.light.lamp_light(x, z) * 1.5
    white, red, blue = linear(226, 226, 224), linear(170, 30, 34), linear(34, 70, 150)
    yellow, black, green = linear(226, 180, 50), linear(26, 26, 28), linear(30, 100, 70)
    circle = np.stack([np.cos(_RING), np.sin(_RING) + 1, np.zeros(16)], 1)
    square = np.array([[-1, 0, 0], [-1, 2, 0], [1, 2, 0], [1, 0, 0.0]])
    triangle = np.array([[-1.05, 0, 0], [0, 1.9, 0], [1.05, 0, 0.0]])
    shapes = {
        0: [(circle, red, 1.0), (circle, white, 0.74)],
        1: [(triangle, red, 1.0), (triangle, white, 0.66)],
        2: [(circle, blue, 1.0)],
        3: [(square, blue, 1.0)],
        4: [(square, white, 1.0), (square, yellow, 0.86)],
        5: [(square, [blue, green, white][int(rng.integers(3))], 1.0)],
    }[kind]
    stretch = np.array([rng.uniform(1.6, 3.0), rng.uniform(1.0, 1.6), 1]) if big else np.ones(3)
    middle = np.array([0, 0.66 if kind == 1 else 1.0, 0])
    for shape, colour, scale in shapes:
        outline = ((shape - middle) * scale + middle) * size * stretch + [0, height, -0.05]
        _plate(canvas, outline, linear(120, 122, 124) if back else colour, x, z, heading, light)
        if back:
            return
    symbol = black if shapes[-1][1] is white or kind == 4 else white
    for _ in range(4 if big else 2):
        cx, cy = rng.uniform(-0.5, 0.3), rng.uniform(0.6, 1.3)
        w, h = (rng.uniform(0.4, 0.8), 0.16) if big else (rng.uniform(0.12, 0.35), rng.uniform(0.2, 0.5))
        mark = np.array([[cx, cy, 0], [cx, cy + h, 0], [cx + w, cy + h, 0], [cx + w, cy, 0]])
        mark[:, 0] -= w / 4
        outline = ((mark - middle) * 0.8 + middle) * size * stretch + [0, height, -0.055]
        _plate(canvas, outline, symbol, x, z, heading, light)


def draw_bollard(canvas: Canvas, rng: np.random.Generator, x: float, z: float, kind: float, sunlit: float) -> None:
    """A post; those of one street share their `kind` (0..1)."""
    if kind < 0.5:
        tone = linear(36, 36, 38) if kind < 0.3 else linear(130, 128, 124)
        limbs = [Limb((0, 0, 0), (0, 0.95, 0), 0.07, 0.065, tone), Limb((0, 0.95, 0), (0, 1.0, 0), 0.085, 0.06, tone)]
        if kind < 0.15:
            limbs.append(Limb((0, 0.78, 0), (0, 0.84, 0), 0.078, 0.078, linear(220, 220, 216)))
    else:
        limbs = [Limb((0, 0, 0), (0, 0.9, 0), 0.05, 0.05, linear(150, 150, 150))]
    draw_limbs(canvas, limbs, x, z, 0.0, Label.POLE, sunlit, ordered=False)


def draw_box(canvas: Canvas, rng: np.random.Generator, x: float, z: float, heading: float, sunlit: float) -> None:
    """A cabinet, bin or letter box: none of the nineteen classes."""
    tones = [(70, 84, 74), (110, 112, 110), (40, 44, 46), (150, 36, 34), (60, 90, 60)]
    r, g, b = tones[int(rng.integers(len(tones)))]
    w, h, d = rng.uniform(0.25, 0.55), rng.uniform(0.85, 1.4), rng.uniform(0.2, 0.3)
    body = box((-w, 0, -d), (w, h, d), linear(r, g, b), 0.1)
    draw_mesh(canvas, join(body), x, z, heading, Label.VOID, sunlit)


def wall_texture(seed: int, width: float, height: float, scale: float, brick: Array) -> Array:
    """A garden wall as texture (h, w, 4)."""
    h, w = max(6, round(height * scale)), max(6, round(width * scale))
    tone = 1 + 0.12 * patch("blotch", seed, h, w, max(1.0, scale / 10)) + 0.07 * patch("grain", seed, h, w)
    rows, cols = max(1, round(height / 0.12)), max(1, round(width / 0.36))
    cells = np.kron(patch("grain", seed + 1, rows, cols), np.ones((max(1, h // rows), max(1, w // cols)), np.float32))
    part = cells[:h, :w]
    tone[: part.shape[0], : part.shape[1]] += 0.12 * part
    if scale > 16:
        tone[np.mod(np.arange(h) / scale, 0.12) < max(0.02, 0.7 / scale)] *= 0.82
    tone *= (1 - 0.3 * np.exp(-np.linspace(height, 0, h) / 0.25))[:, None]
    tone[: max(1, round(0.09 * scale))] *= 1.25
    image = np.zeros((h, w, 4), np.uint8)
    image[..., :3] = np.sqrt(np.clip(tone[..., None] * brick, 0, 1)) * 255
    return image


def draw_fence(
    canvas: Canvas, a: Array, b: Array, height: float, kind: str, colour: Array, sunlit: float, seed: int
) -> None:
    """A fence from ground point a to b (x, z): "boards" closed, "bars", "pickets" or "mesh" seen through."""
    length = float(np.linalg.norm(b - a))
    if kind == "boards":
        mean = max(canvas.camera.depth(float(a[0] + b[0]) / 2, 0, float(a[1] + b[1]) / 2), 2.0)
        scale = float(np.clip(canvas.camera.focal / mean, 6, 40))
        h, w = max(6, round(height * scale)), max(6, round(length * scale))
        board = np.mod(np.arange(w) / scale, 0.16)
        tone = (
            1
            + 0.1 * patch("streak", seed, h, w)
            + 0.08 * patch("grain", seed, 1, max(1, w // 4)).repeat(5, 1)[:, :w][:, :w][0:1]
            if w >= 8
            else np.ones((h, w), np.float32)
        )
        tone = tone * np.where(board < max(0.02, 0.6 / scale), 0.55, 1.0)[None]
        image = np.zeros((h, w, 4), np.uint8)
        image[..., :3] = np.sqrt(np.clip(tone[..., None] * colour, 0, 1)) * 255
        draw_wall(canvas, a, b, height, image, Label.FENCE, 0.0 if sunlit > 0.5 else 50.0)
        return
    # What shows between the bars belongs to the fence, as people label it.
    corner = np.array([a[0], height, a[1]])
    across = np.array([b[0] - a[0], 0, b[1] - a[1]])
    scale = 24.0 if kind != "mesh" else 32.0
    h, w = round(height * scale), max(8, round(length * scale))
    cover = np.zeros((h, w), np.uint8)
    step = {"bars": 0.125, "pickets": 0.16, "mesh": 0.125}[kind]
    wide = {"bars": 1, "pickets": 2, "mesh": 1}[kind]
    for x in np.arange(0, length, step):
        cover[:, int(x * scale) : int(x * scale) + wide] = 255 if kind != "mesh" else 120
    if kind == "mesh":
        for y in np.arange(0, height, step):
            cover[int(y * scale) : int(y * scale) + 1] = 120
    for y in (0.06, 0.12) if kind == "mesh" else (0.08, 0.8):
        cover[int(h * y) : int(h * y) + 2] = 255
    for x in np.arange(0, length, 2.0):
        cover[:, int(x * scale) : int(x * scale) + 3] = 255
    found = canvas.textured(corner, across, np.array([0, -height, 0.0]), cover)
    if found is None:
        return
    rows, cols, mask, seen = found
    share = (seen.astype(np.float32) / 255 * mask)[..., None]
    middle = (a + b) / 2
    light = canvas.light.ambient * 0.6 + canvas.light.sun * (0.4 * sunlit)
    if canvas.light.night:
        light = light + canvas.light.lamp_light(*middle) * 0.5
    tone = canvas.light.through_air(
        (colour * light).astype(np.float32), max(canvas.camera.depth(float(middle[0]), 1, float(middle[1])), 1.0)
    )
    cut = canvas.pixels[rows, cols]
    cut[..., :3] += (tone - cut[..., :3]) * share
    cut[..., 3][mask.astype(bool)] = float(Label.FENCE)
