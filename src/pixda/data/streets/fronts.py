"""What lines the street on both sides: rows of houses, gardens, parks, walls, open lots."""

from itertools import pairwise

import numpy as np

from pixda.data.streets.basics import Array, Label, jitter, linear, pick
from pixda.data.streets.buildings import Building, draw_building, draw_wall
from pixda.data.streets.canvas import Canvas
from pixda.data.streets.city import City
from pixda.data.streets.furniture import draw_fence, wall_texture
from pixda.data.streets.nature import BARE, BUSHES, CONIFERS, LEAFY, draw_plant, hedge_texture, plant_shadow
from pixda.data.streets.plan import REACH
from pixda.data.streets.scene import Scene, Thing
from pixda.data.streets.shadows import ShadowMap


def add_building(scene: Scene, building: Building) -> None:
    """Put a house into the scene, with its shadow and the shade of the opposite row on its front."""
    footprint = building.footprint()
    city, light = scene.city, scene.light
    a, b = footprint[0], footprint[1]
    outward = np.array([(b - a)[1], -(b - a)[0]])
    outward /= max(float(np.linalg.norm(outward)), 1e-6)
    against = float(outward @ light.sun_direction[[0, 2]])
    shade = 0.0
    if against > 0.05:  # the sun comes over the houses across the street
        across = 2 * scene.plan.half_width + sum(scene.plan.walk)
        shade = max(0.0, 7.5 - across / against * float(light.sun_direction[1]))

    def cast(shadows: ShadowMap) -> None:
        rise = building.rise * 0.6 if building.roof != "flat" else 0.0
        shadows.prism(footprint, 0.0, building.height + rise)
        middle = footprint.mean(0)
        shadows.contact(middle + (footprint - middle) * 1.05, 0.45)

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_building(canvas, building, city, shade)

    scene.things.append(Thing(footprint[:2], draw, cast, long=True, tall=True))


def add_tree(scene: Scene, rng: np.random.Generator, u: float, s: float, size: float = 1.0) -> None:
    """Put a tree at street coordinates; bare or leafy by the city's season."""
    city = scene.city
    x, z = scene.plan.point(u, s)
    bare = rng.random() < city.bare
    kind = "bare" if bare else ("conifer" if rng.random() < 0.1 else "leafy")
    number = int(rng.integers({"bare": BARE, "leafy": LEAFY, "conifer": CONIFERS}[kind]))
    leaf = jitter(rng, city.leaves[int(rng.integers(len(city.leaves)))], 0.2)
    if kind == "leafy" and rng.random() < city.autumn:
        leaf = jitter(rng, linear(140, 96, 40), 0.25)
    height = rng.uniform(5, 11) * size
    _plant(scene, kind, number, x, z, height * rng.uniform(0.75, 1.05), height, leaf, bool(rng.random() < 0.5))


def add_bush(scene: Scene, rng: np.random.Generator, u: float, s: float) -> None:
    """Put a bush at street coordinates."""
    x, z = scene.plan.point(u, s)
    leaf = jitter(rng, scene.city.leaves[int(rng.integers(len(scene.city.leaves)))], 0.25)
    height = rng.uniform(0.8, 2.4)
    _plant(
        scene,
        "bush",
        int(rng.integers(BUSHES)),
        x,
        z,
        height * rng.uniform(1.1, 2.0),
        height,
        leaf,
        bool(rng.random() < 0.5),
    )


def _plant(
    scene: Scene, kind: str, number: int, x: float, z: float, width: float, height: float, leaf: Array, flip: bool
) -> None:
    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_plant(canvas, kind, number, x, z, width, height, leaf, 1.0 if height > 5 else sunlit, flip)

    def cast(shadows: ShadowMap) -> None:
        shadows.sprite(x, z, width, height, plant_shadow(kind, number))

    scene.things.append(Thing(np.array([[x, z]]), draw, cast, tall=height > 3))


def add_boundary(
    scene: Scene, rng: np.random.Generator, kind: str, side: int, offset: float, s0: float, s1: float
) -> None:
    """A wall, hedge or fence along the street at `offset` metres from the centre line."""
    if kind == "none" or s1 - s0 < 1:
        return
    height = {
        "wall": rng.uniform(0.6, 2.0),
        "hedge": rng.uniform(0.9, 2.1),
        "fence": rng.uniform(0.9, 1.9),
        "high": rng.uniform(2.0, 3.2),
    }[kind]
    bricks = scene.city.palette["brick"] + scene.city.palette["stone"]
    brick = jitter(rng, bricks[int(rng.integers(len(bricks)))], 0.2)
    leaf = jitter(rng, scene.city.leaves[int(rng.integers(len(scene.city.leaves)))] * 0.8, 0.2)
    fence = pick(rng, {"bars": 3, "pickets": 1.2, "boards": 2, "mesh": 1})
    metal = (
        linear(26, 28, 28)
        if rng.random() < 0.6
        else linear(*rng.choice([[120, 122, 120], [200, 200, 196], [50, 80, 60]]))
    )
    wood = jitter(rng, linear(128, 100, 72), 0.3)
    seed = int(rng.integers(1 << 20))
    edges = np.linspace(s0, s1, max(2, int((s1 - s0) / 7) + 2))
    for n, (p, q) in enumerate(pairwise(edges)):
        a, b = np.array(scene.plan.point(side * offset, p)), np.array(scene.plan.point(side * offset, q))
        length = float(np.linalg.norm(b - a))

        def draw(canvas: Canvas, sunlit: float, a: Array = a, b: Array = b, length: float = length, n: int = n) -> None:
            shade = 0.0 if sunlit > 0.5 else 50.0
            depths = [canvas.camera.depth(float(p[0]), 0, float(p[1])) for p in (a, b)]
            if max(depths) < 0.4:
                return
            scale = float(np.clip(canvas.camera.focal / max(float(np.mean(depths)) * 0.7, 2.0), 5, 44))
            if kind == "fence":
                draw_fence(canvas, a, b, height, fence, wood if fence == "boards" else metal, sunlit, seed + n)
            elif kind == "hedge":
                draw_wall(
                    canvas, a, b, height, hedge_texture(seed + n, length, height, scale, leaf), Label.VEGETATION, shade
                )
            else:
                draw_wall(canvas, a, b, height, wall_texture(seed + n, length, height, scale, brick), Label.WALL, shade)

        def cast(shadows: ShadowMap, a: Array = a, b: Array = b) -> None:
            if kind != "fence" or fence == "boards":
                shadows.prism(np.stack([a, b, b + 0.05, a + 0.05]), 0.0, height)

        scene.things.append(Thing(np.stack([a, b]), draw, cast, long=True))


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
        tall = float(np.exp(rng.normal(0.0, 0.2)))
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
