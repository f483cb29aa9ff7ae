"""Trees, bare and leafy, bushes and hedges, from a bank of pictures grown once a process."""

from functools import cache

import cv2
import numpy as np

from streetworld.basics import Array, Label, linear, stream
from streetworld.canvas import Canvas
from streetworld.noise import patch

SIDE = 384  # pixels; a sprite's foot is at the middle of its lower edge
HIGH = SIDE * 3 // 2  # rows that a plant may grow into before it is fitted into the square
LEAFY, BARE, BUSHES, CONIFERS = 7, 7, 4, 3


def _branch(
    image: Array, rng: np.random.Generator, x: float, y: float, angle: float, length: float, thick: float, depth: int
) -> None:
    bend = rng.normal(0, 0.10)
    x1, y1 = x + np.sin(angle) * length, y - np.cos(angle) * length
    xm, ym = (x + x1) / 2 + bend * length * 0.4, (y + y1) / 2
    points = np.round(np.array([[x, y], [xm, ym], [x1, y1]]) * 16).astype(np.int32)
    shade = float(np.clip(rng.normal(120, 26), 50, 200))
    alpha = 255.0 if thick >= 1 else max(150.0, 255 * thick)
    cv2.polylines(image, [points], False, (shade, alpha, 255.0), max(1, round(thick)), cv2.LINE_AA, 4)
    if thick > 3:  # the sunny side of the trunk
        cv2.polylines(
            image,
            [points - [round(thick * 5), 0]],
            False,
            (shade * 1.45, alpha, 255.0),
            max(1, round(thick * 0.3)),
            cv2.LINE_AA,
            4,
        )
    if depth == 0 or length < 5:
        return
    count = 2 if rng.random() < 0.55 else 3
    for i in range(count):
        spread = (
            rng.uniform(0.14, 0.52) * (1 if i % 2 else -1)
            if count == 2
            else (i - 1) * rng.uniform(0.22, 0.55) + rng.normal(0, 0.1)
        )
        child = angle * 0.85 + spread
        _branch(image, rng, x1, y1, child, length * rng.uniform(0.66, 0.86), thick * rng.uniform(0.55, 0.72), depth - 1)


def _crown(image: Array, rng: np.random.Generator, cx: float, cy: float, rx: float, ry: float) -> None:
    """Many round tufts, the back ones dark, the upper left ones light."""
    count = 260
    turn, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    front = rng.uniform(0, 1, count)
    lumps = 1 + 0.16 * np.sin(turn * 3 + rng.uniform(0, 6)) + 0.1 * np.sin(turn * 5 + rng.uniform(0, 6))
    for i in np.argsort(front):
        x, y = cx + rx * radius[i] * lumps[i] * np.cos(turn[i]), cy + ry * radius[i] * lumps[i] * np.sin(turn[i])
        size = rng.uniform(0.08, 0.18) * min(rx, ry)
        light = 0.55 - 0.35 * (y - cy) / ry - 0.18 * (x - cx) / rx + 0.25 * front[i] - 0.15
        for k in range(3):
            shade = float(np.clip((light + 0.12 * k) * 150 * (0.75 + 0.25 * front[i]), 16, 250))
            offset = size * 0.28 * k
            place = (round((x - offset * 0.6) * 16), round((y - offset) * 16))
            cv2.circle(image, place, round(size * (1 - 0.27 * k) * 16), (shade, 255.0, 0.0), -1, cv2.LINE_AA, 4)


@cache
def sprite(kind: str, number: int) -> tuple[Array, ...]:
    """Picture pyramid of one plant: uint8 (side, side, 4): shade, cover, wood, label region; finest first."""
    rng = stream(4, sum(map(ord, kind)), number)
    shape = (HIGH, 2 * SIDE)
    image: Array = np.zeros((*shape, 3), np.uint8)
    mid, foot = float(SIDE), float(HIGH)
    if kind == "bare":
        thick = rng.uniform(5, 10)
        _branch(image, rng, mid, foot, rng.normal(0, 0.04), SIDE * rng.uniform(0.19, 0.25), thick, 8)
    elif kind == "leafy":
        _branch(image, rng, mid, foot, rng.normal(0, 0.04), SIDE * 0.26, rng.uniform(9, 14), 3)
        middle, wide, high = (SIDE * rng.uniform(*r) for r in ((0.58, 0.64), (0.32, 0.43), (0.3, 0.36)))
        _crown(image, rng, mid, foot - middle, wide, high)
    elif kind == "conifer":
        cv2.line(image, (round(mid), HIGH), (round(mid), HIGH - SIDE // 2), (100.0, 255.0, 255.0), 8)
        for t in np.linspace(0.07, 0.95, 26):
            _crown(image, rng, mid, foot - SIDE * t, SIDE * (0.03 + 0.2 * (1 - t)), SIDE * 0.04)
    else:
        _crown(image, rng, mid, foot - SIDE * 0.34, SIDE * rng.uniform(0.4, 0.5), SIDE * 0.33)
    if kind != "bare":  # leaves: ragged edges, holes to the sky, fine light and shade
        noise = patch("grain", number, *shape, 1.6) + 0.8 * patch("cloud", number, *shape, 0.6)
        leaf = image[..., 2] < 128
        inner = cv2.blur(image[..., 1], (25, 25)).astype(np.float32) / 255
        cover = np.clip((inner * 3.2 - 1.0 + 0.55 * noise) * 1.6, 0, 1) * 255
        image[..., 1] = np.where(leaf, np.minimum(image[..., 1], cover.astype(np.uint8)), image[..., 1])
        shade = image[..., 0] * np.clip(1 + 0.3 * noise, 0.35, 1.7)
        image[..., 0] = np.where(leaf, np.clip(shade, 0, 255), image[..., 0]).astype(np.uint8)
    cover = image[..., 1]
    size = 25 if kind == "bare" else 7
    # People who label trees draw round the crown: twigs and small gaps belong to it.
    region = cv2.morphologyEx(
        (cover > 60).astype(np.uint8), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    )
    if kind == "bare":
        # Twigs finer than a pixel veil the sky between the branches.
        twigs = 0.15 + np.clip(patch("grain", number, *shape) * 1.1, 0, 2)
        veil = cv2.blur(cover, (17, 17)).astype(np.float32) * 0.7 * region * twigs
        hidden = np.clip(veil, 0, 150).astype(np.uint8)
        image[..., 0] = np.where(hidden > cover, 78, image[..., 0])
        image[..., 2] = np.where(hidden > cover, 255, image[..., 2])
        image[..., 1] = np.maximum(cover, hidden)
    # Uncovered pixels take an average look, so that smaller copies get no dark rims.
    empty = image[..., 1] < 8
    image[empty, 0], image[empty, 2] = 110, 255 if kind == "bare" else 0
    full = _fitted(np.dstack([image, region * 255]))
    levels = [full]
    while levels[-1].shape[0] > 24:
        levels.append(np.asarray(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)))
    return tuple(levels)


def _fitted(picture: Array) -> Array:
    """The square above the foot of a picture (HIGH, 2 SIDE, C), shrunk towards the foot to hold all of it."""
    rows, columns = np.flatnonzero(picture[..., 3].any(1)), np.flatnonzero(picture[..., 3].any(0))
    reach = max(abs(int(columns[0]) - SIDE), abs(int(columns[-1]) - SIDE), 1) + 2
    scale = min(1.0, SIDE / 2 / reach, SIDE / (HIGH - int(rows[0]) + 2))
    matrix = np.array([[scale, 0, SIDE / 2 - scale * SIDE], [0, scale, SIDE - scale * HIGH]])
    return np.asarray(cv2.warpAffine(picture, matrix, (SIDE, SIDE)))


def plant_shadow(kind: str, number: int) -> Array:
    """Cover of a plant (h, w) uint8 for the shadow map."""
    levels = sprite(kind, number)
    return np.ascontiguousarray(levels[min(2, len(levels) - 1)][..., 1])


def draw_plant(
    canvas: Canvas,
    kind: str,
    number: int,
    x: float,
    z: float,
    width: float,
    height: float,
    leaf: Array,
    sunlit: float,
    flip: bool,
) -> None:
    """An upright plant at world (x, z), metres wide and high; leaf is its linear colour."""
    camera, light = canvas.camera, canvas.light
    right = camera.axes[0]
    foot = np.array([x, 0.0, z])
    corners = np.stack([foot - right * width / 2, foot + right * width / 2, foot + np.array([0, height, 0])])
    view = camera.to_view(corners)
    depth = float(view[0, 2])
    if view[:, 2].min() < 0.8:
        return
    pixels = camera.view_to_pixels(view)
    low_left, low_right, top = pixels
    if low_right[0] - low_left[0] < 1.5:
        return
    rise = top - (low_left + low_right) / 2
    box = np.stack([low_left, low_right, low_left + rise, low_right + rise])
    low = np.maximum(np.floor(box.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(box.max(0)).astype(int) + 1, [camera.width, camera.image_height])
    if (high <= low).any():
        return
    levels = sprite(kind, number)
    wanted = float(np.linalg.norm(rise))
    level = int(np.clip(np.floor(np.log2(SIDE / max(wanted, 1.0)) + 0.25), 0, len(levels) - 1))
    picture = levels[level]
    side = picture.shape[0]
    left, other = (side, 0) if flip else (0, side)
    source = np.array([[left, side], [other, side], [left, 0]], np.float32)
    target = np.stack([low_left, low_right, low_left + rise]).astype(np.float32) - low.astype(np.float32)
    matrix = cv2.getAffineTransform(source, target)
    seen = cv2.warpAffine(picture, matrix, (int(high[0] - low[0]), int(high[1] - low[1])))
    values = seen.astype(np.float32) * np.float32(1 / 255)
    shade, cover, wood, region = values[..., 0], values[..., 1:2], values[..., 2:3], values[..., 3]
    bark = linear(74, 67, 58)
    # Looking towards the sun one sees the shaded side of leaves and twigs.
    facing = 0.62 - 0.38 * float(camera.axes[2] @ light.sun_direction)
    albedo = leaf + (bark - leaf) * wood
    toward = light.ambient * 0.35 + light.sun * 0.10 * sunlit
    bright = light.ambient * 0.55 + light.sun * (0.95 * sunlit * facing)
    colour = albedo * (toward + bright * (shade * shade * np.float32(1.6))[..., None])
    if light.night:
        colour += albedo * (0.4 * light.lamp_light(x, z))
    colour = light.through_air(colour.astype(np.float32), depth)
    cut = canvas.pixels[low[1] : high[1], low[0] : high[0]]
    cut[..., :3] += (colour - cut[..., :3]) * cover
    cut[..., 3][region > 0.5] = float(Label.VEGETATION)


def hedge_texture(seed: int, width: float, height: float, scale: float, leaf: Array) -> Array:
    """A clipped hedge or ivy as texture (h, w, 4) like a façade's, the fourth channel 0."""
    h, w = max(6, round(height * scale)), max(6, round(width * scale))
    tone = (
        0.75
        + 0.34 * patch("grain", seed, h, w, max(1.0, scale / 22))
        + 0.2 * patch("blotch", seed, h, w, max(1.0, scale / 14))
    )
    y = np.linspace(1.25, 0.45, h, dtype=np.float32)[:, None]
    image = np.zeros((h, w, 4), np.uint8)
    image[..., :3] = np.sqrt(np.clip(np.clip(tone, 0.12, 2.2)[..., None] * y[..., None] * leaf, 0, 1)) * 255
    return image


def ragged_top(seed: int, length: float) -> Array:
    """Outline (N, 2) of a hedge in texture coordinates 0..1, its upper edge uneven."""
    x = np.linspace(0, 1, max(4, round(length * 4)))
    top = 0.06 + 0.05 * patch("cloud", seed, 1, len(x), 0.3)[0]
    upper = np.stack([x, np.clip(top, 0, 0.2)], 1)
    return np.asarray(np.concatenate([upper, [[1, 1], [0, 1]]]))
