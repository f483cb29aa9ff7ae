"""Who uses the street: parked and moving vehicles, cyclists, people on foot."""

from collections.abc import Callable

import numpy as np

from streetworld.basics import Array, Label, pick, stream
from streetworld.canvas import Canvas
from streetworld.car_bodies import SHAPES
from streetworld.cars import car
from streetworld.cycles import bicycle_outline, draw_bicycle, draw_motorcycle
from streetworld.large_vehicles import bus, tram, truck
from streetworld.limbs import draw_limbs
from streetworld.mesh import Mesh, draw_mesh, turned
from streetworld.people import rider, walker
from streetworld.scene import Scene, Thing
from streetworld.shadows import ShadowMap

CARS = {"hatch": 4.0, "sedan": 2.2, "estate": 1.8, "suv": 1.6, "mpv": 1.4, "van": 0.7, "small van": 0.6}


def _footprint(x: float, z: float, heading: float, width: float, length: float) -> Array:
    local = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]) * [width / 2, 0, length / 2]
    return np.asarray((local @ turned(heading))[:, [0, 2]] + [x, z])


def add_vehicle(
    scene: Scene,
    rng: np.random.Generator,
    kind: str,
    u: float,
    s: float,
    along: int,
    turn: float = 0.0,
    moving: bool = False,
) -> bool:
    """Put a car, "truck", "bus" or "tram" at street coordinates, looking along (1) or against (-1) the street."""
    saturation = scene.saturation
    seed = int(rng.integers(1 << 30))
    lights = scene.light.night or (moving and rng.random() < 0.2)
    braking = moving and rng.random() < 0.3
    glow = 3.0 if lights else 0.0
    yellow = scene.plan.drives_left
    label, build = Label.CAR, None
    x, z = scene.plan.point(u, s)
    depth = scene.camera.depth(x, 0.8, z)
    if kind in SHAPES:
        shape = SHAPES[kind]
        width, length, high = shape.width, shape.length, shape.profile[3][3]
        scale_width = scene.camera.focal * 2.5 / max(depth, 1.0)

        def build_car() -> Mesh:
            return car(stream(seed), kind, saturation, scale_width > 45, braking, bool(lights), yellow)

        build = build_car
    else:
        maker: Callable[[np.random.Generator, float, float], tuple[Mesh, float, float]]
        maker, label, high = {
            "truck": (truck, Label.TRUCK, 3.0),
            "bus": (bus, Label.BUS, 3.2),
            "tram": (tram, Label.TRAIN, 3.3),
        }[kind]
        mesh, length, width = maker(stream(seed), saturation, glow)

        def build_large() -> Mesh:
            return mesh

        build = build_large
    if not scene.free(u, s, width / 2 + 0.15, length / 2 + 0.5):
        return False
    heading = scene.plan.heading(s) + (0.0 if along > 0 else np.pi) + turn
    footprint = _footprint(x, z, heading, width, length)

    def draw(canvas: Canvas, sunlit: float) -> None:
        corners = np.concatenate(
            [np.column_stack([footprint[:, 0], np.full(4, y), footprint[:, 1]]) for y in (0.0, high + 0.8)]
        )
        if canvas.sees(corners):
            draw_mesh(canvas, build(), x, z, heading, label, sunlit)

    def cast(shadows: ShadowMap) -> None:
        shadows.prism(_footprint(x, z, heading, width * 0.95, length * 0.97), 0.15, high * 0.62)
        shadows.prism(_footprint(x, z, heading, width * 0.8, length * 0.6), 0.6, high * 0.97)
        shadows.contact(_footprint(x, z, heading, width * 1.06, length * 1.03), 0.82)

    scene.things.append(Thing(footprint, draw, cast))
    return True


def add_person(scene: Scene, rng: np.random.Generator, u: float, s: float, heading: float) -> None:
    """Put a person on foot at street coordinates."""
    if not scene.free(u, s, 0.25, 0.25):
        return
    x, z = scene.plan.point(u, s)
    limbs = walker(stream(int(rng.integers(1 << 30))), scene.saturation)

    def draw(canvas: Canvas, sunlit: float) -> None:
        draw_limbs(canvas, limbs, x, z, heading, Label.PERSON, sunlit, 0.5)

    def cast(shadows: ShadowMap) -> None:
        shadows.pole(x, z, 1.7, 0.2)
        shadows.contact(_footprint(x, z, heading, 0.4, 0.5), 0.5)

    scene.things.append(Thing(np.array([[x, z]]), draw, cast))


def add_cycle(
    scene: Scene, rng: np.random.Generator, u: float, s: float, heading: float, motor: bool, ridden: bool
) -> None:
    """Put a bicycle or motorcycle at street coordinates, with or without its rider."""
    if not scene.free(u, s, 0.3, 0.7):
        return
    x, z = scene.plan.point(u, s)
    seed = int(rng.integers(1 << 30))
    saturation = scene.saturation
    limbs = rider(stream(seed, 1), saturation, motor) if ridden else []

    def draw(canvas: Canvas, sunlit: float) -> None:
        (draw_motorcycle if motor else draw_bicycle)(canvas, stream(seed), x, z, heading, sunlit)
        if limbs:
            draw_limbs(canvas, limbs, x, z, heading, Label.RIDER, sunlit, 0.5)

    def cast(shadows: ShadowMap) -> None:
        outline = bicycle_outline(x, z, heading)
        shadows.prism(outline, 0.0, 1.6 if ridden else 0.9)
        shadows.contact(outline, 0.5)

    scene.things.append(Thing(np.array([[x, z]]), draw, cast))


def add_traffic(scene: Scene, rng: np.random.Generator) -> None:
    """Fill road and pavements; how busy they are differs from frame to frame."""
    plan = scene.plan
    own = -1 if plan.drives_left else 1
    inner = plan.median + 0.2
    busy = float(np.exp(rng.normal(-0.25, 0.6)))
    for side in (-1, 1):  # parked rows
        width = plan.parking[(side + 1) // 2]
        if not width:
            continue
        full = rng.uniform(0.25, 0.9)
        s = rng.uniform(-3, 4)
        while s < 75:
            if rng.random() < full and not plan.is_open(side, s, plan.corner + 2):
                along = side * own if rng.random() < 0.9 else -side * own
                u = side * (plan.half_width - 1.05 + rng.normal(0, 0.08))
                add_vehicle(scene, rng, pick(rng, {**CARS, "truck": 0.1}), u, s, along, rng.normal(0, 0.015))
            s += rng.uniform(5.2, 6.6)
    kinds = {**CARS, "bus": 0.45, "truck": 0.6}
    for direction in (own, -own):
        edge = plan.half_width - plan.parking[(direction + 1) // 2] - plan.cycle_lane[(direction + 1) // 2]
        for lane in range(plan.lanes):
            centre = direction * (inner + (edge - inner) * (lane + 0.5) / plan.lanes)
            along = 1 if direction == own else -1
            s = rng.uniform(9, 40) if along > 0 else rng.uniform(7, 40)
            for _ in range(rng.poisson(1.7 * busy)):
                if s > 110 or s > plan.end - 5:
                    break
                kind = pick(rng, kinds)
                if add_vehicle(scene, rng, kind, centre + rng.normal(0, 0.2), s, along, rng.normal(0, 0.02), True):
                    s += 7
                s += rng.exponential(16 if busy < 1.3 else 6) + 1
    if plan.tram and rng.random() < 0.6:
        u = 1.65 * rng.choice([-1, 1])
        add_vehicle(scene, rng, "tram", u, rng.uniform(22, 60), 1 if u * own > 0 else -1)
    for j in plan.junctions:  # from side streets
        if rng.random() < 0.25 * busy and j.at < 90:
            side = j.side or int(rng.choice([-1, 1]))
            u = side * (plan.half_width + rng.uniform(3.5, 9))
            add_vehicle(scene, rng, pick(rng, kinds), u, j.at + rng.normal(0, 0.5), 1, -side * np.pi / 2)
    _add_cyclists(scene, rng, own)
    _add_walkers(scene, rng)


def _add_cyclists(scene: Scene, rng: np.random.Generator, own: int) -> None:
    plan = scene.plan
    for _ in range(rng.poisson(0.75)):
        direction = own if rng.random() < 0.65 else -own
        index = (direction + 1) // 2
        u = direction * (plan.half_width - plan.parking[index] - rng.uniform(0.5, 1.1))
        heading = 0.0 if direction == own else np.pi
        add_cycle(
            scene,
            rng,
            u,
            rng.uniform(6, 38),
            plan.heading(15) + heading + rng.normal(0, 0.06),
            rng.random() < 0.2,
            True,
        )
    if rng.random() < 0.25:  # parked bicycles, leaning on a front or standing in a row
        side = int(rng.choice([-1, 1]))
        index = (side + 1) // 2
        at, motor = rng.uniform(5, 30), rng.random() < 0.15
        across = rng.random() < 0.4
        for n in range(int(rng.integers(1, 6))):
            u = side * (plan.half_width + plan.verge[index] + plan.walk[index] - (0.9 if across else 0.45))
            s = at + n * (0.7 if across else 1.9)
            if not plan.is_open(side, s, 4):
                heading = plan.heading(s) + (np.pi / 2 * side if across else 0.0) + rng.normal(0, 0.1)
                add_cycle(scene, rng, u, s, heading, motor, False)
    if rng.random() < 0.08:  # a motorcycle at the kerb
        side = int(rng.choice([-1, 1]))
        add_cycle(
            scene,
            rng,
            side * (plan.half_width - 0.8),
            rng.uniform(6, 25),
            plan.heading(10) + rng.uniform(-0.6, 0.6),
            True,
            False,
        )


def _add_walkers(scene: Scene, rng: np.random.Generator) -> None:
    plan = scene.plan
    lively = float(np.exp(rng.normal(0.0, 0.7)))
    for side in (-1, 1):
        index = (side + 1) // 2
        low = plan.half_width + plan.verge[index] + 0.35
        for _ in range(rng.poisson(2.1 * lively)):
            s = 5 + rng.exponential(18)
            if s > 70 or plan.is_open(side, s, 2):
                continue
            u = side * (low + rng.uniform(0, max(plan.walk[index] - 0.6, 0.2)))
            heading = plan.heading(s) + rng.choice([0.0, np.pi]) + rng.normal(0, 0.25)
            if rng.random() < 0.15:
                heading += rng.uniform(-2, 2)
            room = max(plan.walk[index] - 0.5, 0.2)  # two walk abreast, away from the kerb where it is free
            beside = (u, side * (low + (abs(u) - low + 0.6) % room))
            for n in range(1 if rng.random() < 0.65 else int(rng.integers(2, 4))):
                add_person(
                    scene, rng, beside[n % 2], s + 0.6 * (n // 2) + rng.normal(0, 0.2), heading + rng.normal(0, 0.2)
                )
    crossing_people = rng.poisson(0.25)
    for _ in range(crossing_people):
        s = scene.crossings[0] + rng.uniform(0, 3) if scene.crossings and rng.random() < 0.7 else rng.uniform(9, 40)
        u = rng.uniform(-1, 1) * plan.half_width
        add_person(scene, rng, u, s, rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.3))
