"""What lines the street on both sides: rows of houses, gardens, parks, walls, open lots."""

import numpy as np

from streetworld.basics import pick
from streetworld.buildings import Building
from streetworld.city import City
from streetworld.placing import add_boundary, add_building, add_bush, add_tree
from streetworld.plan import REACH
from streetworld.scene import Scene


def _sides(scene: Scene, side: int, u: float, s0: float, s1: float) -> tuple[tuple[float, float], tuple[float, float]]:
    near, far = scene.plan.point(side * u, s0), scene.plan.point(side * u, s1)
    return (far, near) if side > 0 else (near, far)


def make_building(
    rng: np.random.Generator,
    kind: str,
    left: tuple[float, float],
    right: tuple[float, float],
    tall: float,
    style: dict[str, str],
    hidden: float = 0.0,
    side: int = 1,
) -> Building:
    """Draw a house of a kind between two front corners; `tall` stretches the number of floors.

    `hidden` is the height of the neighbour before it on this side of the street: no wall shows below it.
    """
    low, high = {"terrace": (2, 4), "shops": (2, 4), "offices": (3, 6), "houses": (2, 2)}[kind]
    floors = max(1, round(int(rng.integers(low, high + 1)) * tall))
    storey = {"terrace": 2.9, "shops": 3.1, "offices": 3.4, "houses": 2.7}[kind] * rng.uniform(0.95, 1.1)
    roof = style["roof"] if kind != "offices" else "flat"
    if rng.random() < 0.25:
        roof = pick(rng, {"flat": 1, "ridge": 2, "gable": 1.4})
    width = float(np.hypot(right[0] - left[0], right[1] - left[1]))
    rise = rng.uniform(1.8, 3.2) if roof == "ridge" else min(width * rng.uniform(0.3, 0.5), 4.0)
    near = hidden >= storey * floors and roof != "gable"
    walls = (near and side < 0, near and side > 0)
    return Building(
        int(rng.integers(1 << 30)), kind, left, right, rng.uniform(8, 13), storey * floors, floors, roof, rise, walls
    )


def line_side(scene: Scene, rng: np.random.Generator, side: int, start: float = -18.0) -> None:
    """Fill one side of the street with stretches of different fronts."""
    plan, city = scene.plan, scene.city
    index = (side + 1) // 2
    edge = plan.half_width + plan.verge[index] + plan.walk[index]
    s = start
    while s < REACH:
        kind = pick(rng, city.stretches)
        stop = min(s + rng.uniform(18, 60), REACH + 10)
        tall = float(np.exp(rng.normal(0.12, 0.22)))
        style = {"roof": pick(rng, {"ridge": 3, "flat": 1.6, "gable": 0.8})}
        garden = pick(rng, city.garden)
        if kind in ("terrace", "shops", "offices", "houses"):
            _row(scene, rng, kind, side, edge, s, stop, tall, style, garden)
        else:
            _open(scene, rng, kind, side, edge, s, stop, garden)
        s = stop


def _clear_spans(scene: Scene, side: int, s0: float, s1: float, margin: float) -> list[tuple[float, float]]:
    spans, start = [], s0
    for j in sorted(scene.plan.junctions, key=lambda j: j.at):
        if j.side in (0, side):
            a, b = j.at - j.width / 2 - margin, j.at + j.width / 2 + margin
            if b > start and a < s1:
                if a > start:
                    spans.append((start, a))
                start = max(start, b)
    if s1 > start:
        spans.append((start, s1))
    limit = scene.plan.end - margin - 1
    return [(a, min(b, limit)) for a, b in spans if min(b, limit) - a > 2.5]


def _row(
    scene: Scene,
    rng: np.random.Generator,
    kind: str,
    side: int,
    edge: float,
    s0: float,
    s1: float,
    tall: float,
    style: dict[str, str],
    garden: str,
) -> None:
    setback = (
        rng.uniform(3, 7)
        if kind == "houses"
        else (rng.uniform(1.2, 3) if kind == "terrace" and rng.random() < 0.3 else 0.0)
    )
    margin = scene.plan.walk[(side + 1) // 2] + 0.5
    for a, b in _clear_spans(scene, side, s0, s1, margin):
        s, before = a, 0.0
        while s < b - 2.5:
            wide = {
                "terrace": rng.uniform(4.5, 8),
                "shops": rng.uniform(6, 14),
                "offices": rng.uniform(12, 28),
                "houses": rng.uniform(7, 12),
            }[kind]
            stop = min(s + wide, b)
            if b - stop < 3:
                stop = b
            left, right = _sides(scene, side, edge + setback, s, stop)
            building = make_building(rng, kind, left, right, tall, style, before, side)
            add_building(scene, building)
            gap = rng.uniform(1.5, 4) if kind == "houses" else (rng.uniform(1, 3) if rng.random() < 0.08 else 0.0)
            s, before = stop + gap, 0.0 if gap else building.height
        if setback > 1:
            add_boundary(scene, rng, garden, side, edge + 0.15, a, b)
            for _ in range(rng.poisson(0.10 * (b - a))):
                u = side * (edge + rng.uniform(0.8, setback - 0.4))
                place = rng.uniform(a, b)
                if rng.random() < 0.3:
                    add_tree(scene, rng, u, place, 0.6)
                else:
                    add_bush(scene, rng, u, place)


def _open(
    scene: Scene, rng: np.random.Generator, kind: str, side: int, edge: float, s0: float, s1: float, garden: str
) -> None:
    margin = scene.plan.walk[(side + 1) // 2] + 0.5
    boundary = {
        "park": garden,
        "wall": "high" if rng.random() < 0.6 else "wall",
        "lot": str(rng.choice(["fence", "none", "wall"])),
    }[kind]
    for a, b in _clear_spans(scene, side, s0, s1, margin):
        add_boundary(scene, rng, boundary, side, edge + 0.15, a, b)
        trees = {"park": 0.16, "wall": 0.12, "lot": 0.04}[kind] * (b - a)
        for _ in range(rng.poisson(trees)):
            add_tree(scene, rng, side * (edge + rng.uniform(1.5, 9)), rng.uniform(a, b), rng.uniform(0.8, 1.5))
        for _ in range(rng.poisson(trees * 0.9)):
            add_bush(scene, rng, side * (edge + rng.uniform(1, 7)), rng.uniform(a, b))
        back = rng.uniform(11, 24)  # houses further back close the view
        s = a
        while s < b - 6:
            stop = min(s + rng.uniform(8, 22), b)
            left, right = _sides(scene, side, edge + back, s, stop)
            if rng.random() < 0.75:
                add_building(
                    scene,
                    make_building(
                        rng, str(rng.choice(["terrace", "offices", "houses"])), left, right, 1.0, {"roof": "ridge"}
                    ),
                )
            s = stop


def line_side_streets(scene: Scene, rng: np.random.Generator, city: City) -> None:
    """Houses along the far side of each side street, and across the end of a street that ends."""
    plan = scene.plan
    for j in plan.junctions:
        if j.at > plan.end - 12:
            continue
        for side in (-1, 1):
            if j.side not in (0, side):
                continue
            index = (side + 1) // 2
            start = plan.half_width + plan.verge[index] + plan.walk[index] + 13.0
            z = j.at + j.width / 2 + 2.2
            _across(scene, rng, float(plan.centre(j.at)), side, start, start + 45, z)
    if plan.end < 500:
        for side in (-1, 1):
            _across(scene, rng, float(plan.centre(plan.end)), side, 0.0, 55.0, plan.end + 8 + 2.5)


def _across(
    scene: Scene, rng: np.random.Generator, centre: float, side: int, start: float, stop: float, z: float
) -> None:
    kind = pick(rng, {"terrace": 2, "shops": 2, "offices": 1, "houses": 1})
    x = start
    while x < stop:
        wide = rng.uniform(6, 16)
        a, b = sorted((centre + side * x, centre + side * (x + wide)))
        if rng.random() < 0.9:
            add_building(scene, make_building(rng, kind, (a, z), (b, z), 1.0, {"roof": "ridge"}))
        x += wide
