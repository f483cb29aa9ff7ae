"""House fronts as textures.

A texture is uint8 (h, w, 4): display colour (gamma 2) and mirror share (glass). It depends on its seed and
resolution only; far away, small parts are left out.
"""

import numpy as np

from streetworld.basics import Array, pick, stream
from streetworld.city import City
from streetworld.openings import Wall, add_clutter, add_door, add_material, add_shop, add_window


def facade(
    seed: int, city: City, kind: str, width: float, height: float, floors: int, scale: tuple[float, float], night: bool
) -> Array:
    """The front of a house: kind "terrace", "shops", "offices", "houses", "plain" (a side wall) or "far"."""
    rng = stream(seed, 11)
    wall = Wall(width, height, scale)
    material = pick(rng, {"brick": 3, "plaster": 2.4, "stone": 1.2, "modern": 0.3})
    if kind == "offices":
        material = pick(rng, {"modern": 3, "brick": 1, "stone": 0.7, "plaster": 0.5})
    choices = city.palette[material]
    colour = choices[int(rng.integers(len(choices)))] * float(np.exp(rng.normal(0, 0.15)))
    colour = np.clip(colour, 0.01, 0.85).astype(np.float32)
    add_material(wall, material, colour, seed % 997, city.grime)
    trim = np.clip(colour * rng.uniform(1.1, 1.8) + 0.03, 0, 0.8) if rng.random() < 0.7 else np.full(3, 0.62)
    frame = np.full(3, float(rng.choice([0.7, 0.62, 0.5, 0.05, 0.12])))
    if kind == "far":
        return wall.image
    if kind == "plain":
        style = {"lintel": 0.1, "surround": 0, "sill": 1, "frame": 0.06, "columns": 1, "rows": 2}
        draw = rng.random()
        if draw < 0.45 and width > 5:  # regular rows, as on a front
            gap, per_floor = rng.uniform(2.2, 4), height / floors
            for floor in range(floors):
                for x in np.arange(rng.uniform(0.8, 2), width - 1.5, gap):
                    if rng.random() < 0.85:
                        lit = night and rng.random() < 0.3
                        add_window(
                            wall, rng, x, (floor + 0.3) * per_floor, 0.95, per_floor * 0.5, style, frame, trim, lit
                        )
        elif draw < 0.85:
            for _ in range(int(rng.integers(1, 5))):
                x, y = rng.uniform(0.5, max(0.6, width - 1.5)), rng.uniform(1, max(1.2, height - 2))
                add_window(wall, rng, x, y, 0.8, 1.2, style, frame, trim, False)
        add_clutter(wall, rng, 1.0, trim, colour)
        return wall.image
    ground = height / floors
    if kind == "shops":
        ground = max(ground, 3.2)
    storey = (height - ground) / max(floors - 1, 1)
    if kind == "offices":
        style = {
            "lintel": 0.0,
            "surround": 0,
            "sill": float(rng.random() < 0.4),
            "frame": 0.05,
            "columns": float(rng.integers(1, 3)),
            "rows": float(rng.integers(1, 3)),
        }
        ribbon = rng.random() < 0.5
        bay = rng.uniform(1.4, 3.2)
        window_w = bay * (0.94 if ribbon else rng.uniform(0.5, 0.8))
        window_h = storey * rng.uniform(0.45, 0.75)
    else:
        style = {
            "lintel": float(rng.choice([0.0, 0.15, 0.25])),
            "surround": float(rng.random() < 0.3),
            "sill": float(rng.random() < 0.8),
            "frame": rng.uniform(0.05, 0.09),
            "columns": float(rng.choice([1, 2, 2, 3])),
            "rows": float(rng.choice([1, 2, 2, 3])),
        }
        bay = rng.uniform(1.8, 3.2)
        window_w = rng.uniform(0.85, min(1.6, bay * 0.7))
        window_h = min(rng.uniform(1.2, 1.9), storey * 0.72)
    columns = max(1, round(width / bay))
    bay = width / columns
    window_w = min(window_w, bay * 0.96)
    for floor in range(1, floors):
        base = ground + (floor - 1) * storey
        if storey < 1.5:
            break
        if kind != "houses" and floor == 1 and rng.random() < 0.5:
            wall.relief(0, base, width, 0.16, trim, 0.06)
        for c in range(columns):
            lit = night and rng.random() < 0.35
            x = (c + 0.5) * bay - window_w / 2
            sill = base + (storey - window_h) * 0.55
            if rng.random() < 0.04:
                continue
            add_window(wall, rng, x, sill, window_w, window_h, style, frame, trim, lit)
            if kind in ("terrace", "shops") and floor >= 1 and rng.random() < 0.06:  # a balcony
                wall.rect(x - 0.3, sill - 0.25, window_w + 0.6, 0.12, trim * 0.6)
                for b in np.arange(x - 0.3, x + window_w + 0.3, 0.14):
                    wall.rect(b, sill - 0.15, 0.04, 0.9, np.full(3, 0.02))
                wall.rect(x - 0.3, sill + 0.72, window_w + 0.6, 0.05, np.full(3, 0.02))
        if kind == "offices" and rng.random() < 0.5:
            for c in range(columns + 1):  # fins and mullions
                wall.rect(c * bay - 0.07, base, 0.14, storey, np.clip(colour * 1.2, 0, 0.9))
    if kind == "shops":
        x = 0.0
        while x < width - 1.5:
            w = min(rng.uniform(4, 8), width - x)
            if width - x - w < 2.5:
                w = width - x
            add_shop(wall, rng, x, w, ground, night)
            x += w
    elif kind == "offices":
        wall.rect(0, 0, width, ground * 0.96, colour * rng.uniform(0.4, 0.9))
        panes = max(1, round(width / rng.uniform(1.5, 3)))
        for i in range(panes):
            x = width * i / panes
            if rng.random() < 0.85:
                wall.rect(
                    x + 0.15, 0.3, width / panes - 0.3, ground * 0.7, np.full(3, 0.02), float(rng.uniform(0.3, 0.9))
                )
        wall.relief(0, ground * 0.88, width, 0.3, np.clip(colour * 1.2, 0, 0.9), 0.1)
    else:
        door = int(rng.integers(columns))
        for c in range(columns):
            x = c * bay
            if c == door or (columns > 4 and rng.random() < 0.15):
                add_door(wall, rng, x + bay / 2 - 0.5, 1.0, trim)
            elif rng.random() < 0.1:
                wall.rect(x + 0.1, 0, min(2.4, bay - 0.1), 2.2, np.full(3, rng.uniform(0.05, 0.5)))
            else:
                wide = min(window_w * 1.15, bay * 0.95)
                add_window(
                    wall,
                    rng,
                    x + bay / 2 - wide / 2,
                    0.85,
                    wide,
                    min(window_h * 1.05, ground - 1.2),
                    style,
                    frame,
                    trim,
                    night and rng.random() < 0.3,
                )
    wall.relief(0, height - 0.2, width, 0.2, np.clip(trim * 0.9, 0, 1), 0.1)
    add_clutter(wall, rng, ground, trim, colour)
    return wall.image
