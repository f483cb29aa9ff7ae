"""Sets up the poles, signals, signs, trees and small things along both kerbs."""

from collections.abc import Callable

import numpy as np

from streetworld.basics import Array, linear, stream
from streetworld.canvas import Canvas
from streetworld.furniture import draw_bollard, draw_box, draw_fence, draw_lamp, draw_sign, draw_traffic_light
from streetworld.placing import add_tree
from streetworld.scene import Scene, Thing
from streetworld.shadows import ShadowMap


def _post(
    scene: Scene, u: float, s: float, height: float, radius: float, draw: Callable[[Canvas, float], None]
) -> None:
    x, z = scene.plan.point(u, s)

    def cast(shadows: ShadowMap) -> None:
        shadows.pole(x, z, height, radius)

    scene.things.append(Thing(np.array([[x, z]]), draw, cast))


def add_kit(scene: Scene, rng: np.random.Generator) -> None:
    """Street lights, signals, signs, bollards, boxes, railings and street trees."""
    plan = scene.plan
    both = rng.random() < 0.4
    first = int(rng.choice([-1, 1]))
    height, step = rng.uniform(5, 9), rng.uniform(20, 36)
    lamp_seed = int(rng.integers(1 << 30))
    for n, s in enumerate(np.arange(rng.uniform(-2, 18), 115, step)):
        for side in (-1, 1) if both else ((first,) if rng.random() < 0.9 or n % 2 else (-first,)):
            if not plan.is_open(side, float(s), 1.5):
                _lamp(scene, side, float(s), height, lamp_seed)
    _signals(scene, rng)
    for side in (-1, 1):
        index = (side + 1) // 2
        kerb = plan.half_width + 0.4
        for _ in range(rng.poisson(1.8)):
            s = rng.uniform(5, 60)
            if not plan.is_open(side, s, 0.5):
                _sign(scene, rng, side * (kerb + rng.uniform(0, 0.3)), s, rng.random() < 0.7)
        if rng.random() < 0.25:
            kind, gap = rng.random(), rng.uniform(1.5, 3)
            start = rng.uniform(3, 30)
            for s in np.arange(start, start + rng.uniform(4, 25), gap):
                if not plan.is_open(side, float(s), 1):
                    _bollard(scene, rng, side * (kerb - 0.05), float(s), kind)
        if rng.random() < 0.15:  # railings at the kerb
            start = rng.uniform(4, 30)
            _railing(scene, rng, side, kerb - 0.15, start, start + rng.uniform(5, 18))
        for _ in range(rng.poisson(0.6)):
            s = rng.uniform(5, 40)
            if not plan.is_open(side, s, 2):
                _box(scene, rng, side * (kerb + plan.walk[index] - 0.7), s)
        if rng.random() < 0.45 * scene.city.trees and plan.walk[index] + plan.verge[index] > 1.9:
            offset = max(plan.verge[index] / 2, 0.7)
            for s in np.arange(rng.uniform(2, 12), 110, rng.uniform(7, 16)):
                if not plan.is_open(side, float(s), 3) and rng.random() < 0.85:
                    add_tree(scene, rng, side * (plan.half_width + offset), float(s), rng.uniform(0.7, 1.1))
    for at in plan.islands:
        for end in (-1.7, 1.7):
            scene.taken.append((0.0, at + end, 0.8, 1.2))
            if rng.random() < 0.6:
                _sign(scene, rng, rng.uniform(-0.3, 0.3), at + end, end < 0)
            else:
                _bollard(scene, rng, 0.0, at + end, rng.random())
    if plan.median > 0.8 and rng.random() < 0.7:
        for s in np.arange(6.0, 110, 11):
            if not any(abs(s - j.at) < j.width for j in plan.junctions):
                add_tree(scene, rng, 0.0, float(s))


def _lamp(scene: Scene, side: int, s: float, height: float, seed: int) -> None:
    u = side * (scene.plan.half_width + 0.45)
    x, z = scene.plan.point(u, s)
    heading = scene.plan.heading(s) - side * np.pi / 2
    if scene.light.night and len(scene.light.lamps) < 12:
        scene.light.lamps.append(scene.plan.point(u - side * 1.5, s))

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_lamp(canvas, stream(seed), x, z, heading, height, 1.0)

    _post(scene, u, s, height, 0.08, draw)


def _signals(scene: Scene, rng: np.random.Generator) -> None:
    plan = scene.plan
    own = -1 if plan.drives_left else 1
    places = [j.at - j.width / 2 - 1.2 for j in plan.junctions if rng.random() < 0.4]
    for at in scene.crossings:
        if rng.random() < 0.5:
            places.append(at - 0.6)
    state = int(rng.integers(3))
    for s in places[:3]:
        if s < 5 or s > 90:
            continue
        for side in (-1, 1):
            u = side * (plan.half_width + 0.45)
            toward = side == own or rng.random() < 0.5
            for shift in (0.0, *((8.0,) if rng.random() < 0.3 else ())):
                _signal(scene, rng, u, s + shift, 0.0 if toward else np.pi, state)


def _signal(scene: Scene, rng: np.random.Generator, u: float, s: float, turn: float, state: int) -> None:
    x, z = scene.plan.point(u, s)
    heading, seed = scene.plan.heading(s) + turn + rng.normal(0, 0.08), int(rng.integers(1 << 30))

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_traffic_light(canvas, stream(seed), x, z, heading, state, sunlit)

    _post(scene, u, s, 3.2, 0.12, draw)


def _sign(scene: Scene, rng: np.random.Generator, u: float, s: float, toward: bool) -> None:
    x, z = scene.plan.point(u, s)
    heading = scene.plan.heading(s) + (0.0 if toward else np.pi) + rng.normal(0, 0.15)
    seed = int(rng.integers(1 << 30))

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_sign(canvas, stream(seed), x, z, heading, sunlit)

    _post(scene, u, s, 2.6, 0.1, draw)


def _bollard(scene: Scene, rng: np.random.Generator, u: float, s: float, kind: float) -> None:
    x, z = scene.plan.point(u, s)
    seed = int(rng.integers(1 << 30))

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_bollard(canvas, stream(seed), x, z, kind, sunlit)

    _post(scene, u, s, 0.95, 0.08, draw)


def _box(scene: Scene, rng: np.random.Generator, u: float, s: float) -> None:
    x, z = scene.plan.point(u, s)
    heading, seed = scene.plan.heading(s) + np.pi / 2, int(rng.integers(1 << 30))

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_box(canvas, stream(seed), x, z, heading, sunlit)

    _post(scene, u, s, 1.0, 0.3, draw)


def _railing(scene: Scene, rng: np.random.Generator, side: int, offset: float, start: float, stop: float) -> None:
    colour = linear(*(rng.choice([[30, 32, 32], [130, 132, 132], [60, 60, 62]])))
    for s in np.arange(start, stop, 2.0):
        if scene.plan.is_open(side, float(s), 3):
            continue
        a, b = np.array(scene.plan.point(side * offset, s)), np.array(scene.plan.point(side * offset, s + 2.0))

        def draw(canvas: Canvas, sunlit: float, a: Array = a, b: Array = b) -> None:
            draw_fence(canvas, a, b, 1.1, "bars", colour, sunlit, 0)

        scene.things.append(Thing(np.stack([a, b]), draw, None, long=True))
