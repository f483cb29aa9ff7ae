"""What a house front is made of: its material, windows, doors, shops, pipes and clutter, as a picture."""

from math import sqrt

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.noise import patch

Colour = tuple[float, float, float]


def _display(colour: Array) -> Colour:
    r, g, b = (255 * sqrt(min(max(c, 0.0), 1.0)) for c in colour.tolist())
    return r, g, b


class Wall:
    """A wall under work, addressed in metres: x from the left, y up from the ground."""

    def __init__(self, width: float, height: float, scale: tuple[float, float]) -> None:
        self.width, self.height = width, height
        self.image = np.zeros((max(8, round(height * scale[1])), max(8, round(width * scale[0])), 4), np.uint8)
        self.across, self.up = self.image.shape[1] / width, self.image.shape[0] / height  # pixels a metre
        self.scale = min(scale)

    def rect(self, x: float, y: float, w: float, h: float, colour: Array, mirror: float = 0.0) -> None:
        """Fill the rectangle with lower left corner (x, y); colour is linear."""
        low = (round(x * self.across), round((self.height - y - h) * self.up))
        high = (max(low[0], round((x + w) * self.across) - 1), max(low[1], round((self.height - y) * self.up) - 1))
        cv2.rectangle(self.image, low, high, (*_display(colour), mirror * 255), -1)

    def relief(self, x: float, y: float, w: float, h: float, colour: Array, depth: float) -> None:
        """A part that stands out (depth > 0): light on top, shadow below."""
        self.rect(x, y - abs(depth), w, abs(depth) * 1.2, colour * 0.35)
        self.rect(x, y, w, h, colour)
        self.rect(x, y + h * 0.75, w, h * 0.25, colour * 1.25)


def add_material(wall: Wall, kind: str, colour: Array, seed: int, grime: float) -> None:
    """Cover the wall with "brick", "stone", "modern" panels or "plaster", with stains and streaks."""
    h, w = wall.image.shape[:2]
    s, sx, sy = wall.scale, wall.across, wall.up
    tone = 1 + 0.05 * patch("grain", seed + 1, h, w)
    if h * w > 3000:
        tone += 0.07 * patch("blotch", seed, h, w, max(1.0, s / 12))
    if s > 8:  # rain streaks
        tone += 0.07 * grime * patch("streak", seed + 2, h, w, max(1.0, s / 24))
    y = np.linspace(wall.height, 0, h, dtype=np.float32)[:, None]
    tone *= 1 - 0.22 * grime * np.exp(-y / 0.6) - 0.1 * grime * np.exp(-(wall.height - y) / 0.7)
    if kind == "brick" and sy > 14:
        course = np.mod(np.arange(h) / sy, 0.15) < max(0.025, 0.8 / sy)
        tone[course] *= 1.14 if seed % 2 else 0.86
        cells = patch("grain", seed + 3, max(1, round(wall.height / 0.15)), max(1, round(wall.width / 0.44)))
        tone *= 1 + 0.09 * cv2.resize(cells, (w, h), interpolation=cv2.INTER_NEAREST)
    elif kind == "stone" and sy > 8:
        cells = patch("grain", seed + 3, max(1, round(wall.height / 0.4)), max(1, round(wall.width / 0.8)))
        tone *= 1 + 0.12 * cv2.resize(cells, (w, h), interpolation=cv2.INTER_NEAREST)
        tone[np.mod(np.arange(h) / sy, 0.4) < 0.03] *= 0.8
    elif kind == "modern" and s > 5:
        tone[np.mod(np.arange(h) / sy, 1.6) < max(0.03, 0.7 / sy)] *= 0.72
        tone[:, np.mod(np.arange(w) / sx, 1.9) < max(0.03, 0.7 / sx)] *= 0.8
    display = np.sqrt(np.clip(tone[..., None] * colour, 0, 1)) * 255
    wall.image[..., :3] = display.astype(np.uint8)


def add_window(
    wall: Wall,
    rng: np.random.Generator,
    x: float,
    y: float,
    w: float,
    h: float,
    style: dict[str, float],
    frame: Array,
    trim: Array,
    lit: bool,
) -> None:
    """One window with reveal, sill, frame, bars, and what shows behind the glass."""
    if wall.scale < 7:  # far away only its brightness counts
        wall.rect(x, y, w, h, np.full(3, 0.35) if lit else frame * 0.15 + 0.03, 0.0 if lit else 0.5)
        return
    wall.rect(x - 0.05, y - 0.02, w + 0.1, h + 0.06, trim * 0.42)  # shaded reveal
    if style["lintel"]:
        wall.relief(x - 0.16, y + h, w + 0.32, style["lintel"], trim, 0.04)
    if style["surround"]:
        for side in (x - 0.17, x + w + 0.02):
            wall.rect(side, y, 0.15, h, trim)
    if style["sill"]:
        wall.relief(x - 0.14, y - 0.14, w + 0.28, 0.12, trim, 0.07)
    wall.rect(x, y, w, h, frame)
    t = style["frame"]
    shade = float(rng.choice([0.015, 0.03, 0.06])) * float(np.exp(rng.normal(0, 0.4)))
    glass = np.array([0.9, 1.0, 1.08]) * shade
    glow = 0.0
    if lit:
        glass, glow = np.array([0.75, 0.55, 0.28]) * rng.uniform(0.3, 1.0), 0.0
    mirror = 0.0 if lit else float(rng.uniform(0.25, 1.0))
    columns, rows = int(style["columns"]), int(style["rows"])
    cell_w, cell_h = (w - t) / columns, (h - t) / rows
    for c in range(columns):
        for r in range(rows):
            wall.rect(x + t + c * cell_w, y + t + r * cell_h, cell_w - t, cell_h - t, glass, mirror + glow)
    dress = rng.random()
    if dress < 0.35:  # curtains
        cloth = np.array([0.5, 0.48, 0.44]) * rng.uniform(0.35, 1.0)
        part = w * rng.uniform(0.12, 0.28)
        wall.rect(x + t, y + t, part, h - 2 * t, cloth, mirror * 0.35)
        wall.rect(x + w - t - part, y + t, part, h - 2 * t, cloth, mirror * 0.35)
    elif dress < 0.6:  # blind
        drop = h * rng.uniform(0.2, 0.75)
        wall.rect(x + t, y + h - drop, w - 2 * t, drop - t, np.full(3, rng.uniform(0.2, 0.55)), mirror * 0.35)
    if dress < 0.6 and rows > 1:  # the bars stay in front
        wall.rect(x, y + h / 2 - t / 2, w, t, frame)
    wall.rect(x, y + h - 0.1, w, 0.1, np.full(3, 0.01), 0.1)  # the reveal's shadow on the glass


def add_door(wall: Wall, rng: np.random.Generator, x: float, w: float, trim: Array) -> None:
    """A front door with panels, a light above it and a step."""
    colours = [(40, 50, 80), (90, 28, 30), (30, 60, 44), (60, 60, 62), (120, 90, 60), (200, 196, 188), (24, 24, 28)]
    r, g, b = colours[int(rng.integers(len(colours)))]
    colour = (np.array([r, g, b]) / 255.0) ** 2
    wall.rect(x - 0.15, 0, w + 0.3, 2.45, trim)
    wall.rect(x, 0, w, 2.3, colour * 0.3)
    wall.rect(x + 0.06, 0.12, w - 0.12, 1.9, colour)
    for dy in (0.25, 1.1):
        for dx in (0.14, w / 2 + 0.05):
            wall.rect(x + dx, dy, w / 2 - 0.2, 0.7, colour * 0.7)
    wall.rect(x + 0.06, 2.05, w - 0.12, 0.22, np.full(3, 0.03), 0.6)
    wall.rect(x - 0.2, 0, w + 0.4, 0.14, np.full(3, 0.28))


def _words(wall: Wall, rng: np.random.Generator, x: float, y: float, w: float, h: float, colour: Array) -> None:
    """Something like lettering."""
    if wall.up * h < 5 or wall.across < 5:
        return
    letters = "".join(rng.choice(list("AEIOURSTLNMCDHBK"), int(rng.integers(4, 11))))
    size = wall.up * h / 32
    thick = max(1, round(size * 2.2))
    (tw, _), _ = cv2.getTextSize(letters, cv2.FONT_HERSHEY_DUPLEX, size, thick)
    size *= min(1.0, w * wall.across / max(tw, 1))
    left = (x + w / 2) * wall.across - min(tw, w * wall.across) / 2
    place = (round(left), round((wall.height - y - h * 0.12) * wall.up))
    cv2.putText(wall.image, letters, place, cv2.FONT_HERSHEY_DUPLEX, size, (*_display(colour), 0.0), thick, cv2.LINE_AA)


def add_shop(wall: Wall, rng: np.random.Generator, x: float, w: float, height: float, night: bool) -> None:
    """A shop front: fascia with a name, stall riser, panes full of things, a door."""
    fine = wall.across > 3
    hue = rng.uniform(0, 1, 3)
    colour = np.clip(0.03 + 0.32 * rng.random() * (0.25 + hue / hue.max()) ** 2.2, 0.01, 0.7)
    pier = rng.uniform(0.15, 0.4)
    wall.rect(x, 0, w, height, colour * 0.8)
    riser = rng.uniform(0.15, 0.7)
    fascia = rng.uniform(0.45, 0.85)
    inside = np.array([0.5, 0.42, 0.3]) * (0.9 if night else rng.uniform(0.04, 0.16))
    pane_low, pane_high = riser, height - fascia - 0.05
    x0, x1 = x + pier, x + w - pier
    mirror = 0.1 if night else float(rng.uniform(0.3, 0.9))
    wall.rect(x0, pane_low, x1 - x0, pane_high - pane_low, inside * 0.6 + 0.01, mirror)
    for _ in range(int(rng.integers(4, 14)) if fine else 2):  # goods, posters, people inside
        gw, gh = rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.9)
        gx, gy = rng.uniform(x0, max(x0 + 0.05, x1 - gw)), pane_low + rng.uniform(0, 0.9)
        shade = np.clip(rng.uniform(0.2, 1.2) * rng.uniform(0.02, 0.5, 3), 0, 1) * (1.5 if night else 1)
        wall.rect(gx, gy, gw, min(gh, pane_high - gy), shade, mirror * 0.5)
    bars = max(1, round((x1 - x0) / rng.uniform(1.1, 2.2)))
    frame = np.clip(colour * rng.uniform(0.4, 1.6), 0.005, 0.8)
    for i in range(bars + 1):
        wall.rect(x0 + (x1 - x0) * i / bars - 0.035, riser, 0.07, pane_high - riser, frame)
    wall.rect(x0, pane_high - 0.45, x1 - x0, 0.06, frame)
    door = x0 + (x1 - x0) * rng.uniform(0.1, 0.8)
    wall.rect(door, 0.05, 0.95, 2.1, inside * 0.3 + 0.006, mirror * 0.6)
    wall.rect(door, 0.05, 0.07, 2.1, frame)
    wall.rect(door + 0.9, 0.05, 0.07, 2.1, frame)
    sign = np.clip(colour * rng.uniform(0.6, 1.8), 0.005, 0.8)
    wall.relief(x, height - fascia, w, fascia, sign, 0.07)
    lettering = np.full(3, 0.75) if sign.mean() < 0.22 else np.full(3, 0.03)
    _words(wall, rng, x + 0.3, height - fascia + 0.08, w - 0.6, fascia - 0.2, lettering)


def add_clutter(wall: Wall, rng: np.random.Generator, low: float, trim: Array, colour: Array) -> None:
    """Pipes, boxes, dishes, cables: upright lines here are part of the building, not poles."""
    if wall.across < 3:
        return
    for _ in range(rng.poisson(0.2 * wall.width)):
        x = rng.choice([0.12, wall.width - 0.25, rng.uniform(0, wall.width - 0.2)])
        shade = np.full(3, float(rng.choice([0.02, 0.05, 0.3, 0.5])))
        pipe = rng.uniform(0.08, 0.15)
        top = wall.height * float(rng.choice([1.0, 1.0, rng.uniform(0.5, 0.9)]))
        wall.rect(x + pipe, 0, pipe * 0.8, top, colour * 0.5)
        wall.rect(x, 0, pipe, top, shade)
        wall.rect(x, 0, pipe * 0.35, top, np.clip(shade * 1.9, 0, 1))
        wall.rect(x - 0.05, top - 0.3, pipe + 0.12, 0.25, shade)
        if rng.random() < 0.4:
            side = rng.choice([-1.0, 1.0])
            wall.rect(min(x, x + side * 1.2), top * 0.6, 1.2, 0.09, shade)
    for _ in range(rng.poisson(0.18 * wall.width)):
        x, y = rng.uniform(0, wall.width), rng.uniform(low, max(low, wall.height - 0.6))
        kind = rng.random()
        if kind < 0.4:
            wall.relief(x, y, rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.6), np.full(3, rng.uniform(0.2, 0.6)), 0.08)
        elif kind < 0.7:
            wall.rect(x, y, 0.03, rng.uniform(0.5, 4), np.full(3, 0.03))
        else:
            dish = wall.scale * 0.3
            centre = (round(x * wall.across), round((wall.height - y) * wall.up))
            cv2.circle(wall.image, centre, max(1, round(dish)), (190.0, 190.0, 188.0, 0.0), -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        wall.rect(0, rng.uniform(low, max(low, wall.height)), wall.width, 0.03, np.full(3, 0.02))
