"""Puts houses, plants and boundaries into a scene, with their shadows."""

from itertools import pairwise

import numpy as np

from streetworld.basics import Array, Label, jitter, linear, pick
from streetworld.buildings import Building, draw_building, draw_wall
from streetworld.canvas import Canvas
from streetworld.furniture import draw_fence, wall_texture
from streetworld.nature import BARE, BUSHES, CONIFERS, LEAFY, draw_plant, hedge_texture, plant_shadow, ragged_top
from streetworld.scene import Scene, Thing
from streetworld.shadows import ShadowMap


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
    _plant(scene, kind, number, x, z, height * rng.uniform(0.55, 1.05), height, leaf, bool(rng.random() < 0.5))


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
                texture = hedge_texture(seed + n, length, height, scale, leaf)
                draw_wall(canvas, a, b, height, texture, Label.VEGETATION, shade, 0.0, ragged_top(seed + n, length))
            else:
                draw_wall(canvas, a, b, height, wall_texture(seed + n, length, height, scale, brick), Label.WALL, shade)

        def cast(shadows: ShadowMap, a: Array = a, b: Array = b) -> None:
            if kind != "fence" or fence == "boards":
                shadows.prism(np.stack([a, b, b + 0.05, a + 0.05]), 0.0, height)

        scene.things.append(Thing(np.stack([a, b]), draw, cast, long=True))
