"""One frame of the street world: draws its scene from (domain, index, options, city) alone."""

from dataclasses import replace

import numpy as np

from streetworld.basics import DOMAINS, Array, Domain, Label, WorldOptions, jitter, linear, stream
from streetworld.camera import Camera
from streetworld.canvas import Canvas
from streetworld.city import City, city_of
from streetworld.fronts import line_side, line_side_streets
from streetworld.ground import draw_ground
from streetworld.kit import add_kit
from streetworld.light import Light, sample_light
from streetworld.markings import paint_crossing, paint_road
from streetworld.plan import StreetPlan, sample_plan
from streetworld.scene import Scene
from streetworld.sensor import develop, device_of
from streetworld.shadows import ShadowMap
from streetworld.sky import sky
from streetworld.traffic import add_traffic
from streetworld.view import View, sample_camera, sample_view


def _city(domain: Domain, number: int, seed: int, rng: np.random.Generator) -> City:
    """The frame's city; rendered frames wander from its habits, because they have to cover much."""
    city = city_of(domain, number, seed)
    if domain == "camera":
        return replace(city, bare=float(np.clip(city.bare + rng.normal(0, 0.1), 0, 1)))
    other = city_of(domain, 100 + int(rng.integers(1000)), seed)
    surfaces = other if rng.random() < 0.6 else city
    weather = other if rng.random() < 0.5 else city
    season = other if rng.random() < 0.6 else city
    return replace(
        city,
        road=surfaces.road,
        pavement=surfaces.pavement,
        kerb=surfaces.kerb,
        paving=surfaces.paving,
        grime=surfaces.grime,
        weather=weather.weather,
        sun_height=weather.sun_height,
        leaves=season.leaves,
        autumn=season.autumn,
        bare=float(rng.choice([0.0, 0.2, 0.6, 1.0])),
    )


def _mount(domain: Domain, number: int, seed: int) -> tuple[float, float, float]:
    rng = stream(seed, 6, DOMAINS.index(domain), number)
    return rng.uniform(1.2, 1.6), rng.normal(0.0, 0.025), rng.uniform(0.9, 1.15)


def view_of(domain: Domain, index: int, options: WorldOptions, city: int) -> tuple[View, Camera]:
    """What kind of frame (domain, index) is and the camera that takes it, without drawing it."""
    scene, view, _ = _prepare(domain, index, options, city)
    return view, scene.camera


def _prepare(domain: Domain, index: int, options: WorldOptions, city: int) -> tuple[Scene, View, np.random.Generator]:
    rng = stream(options.seed, 1, DOMAINS.index(domain), index, city)
    gap = options.gap if domain == "rendered" else 0.0
    view = sample_view(rng, domain, options)
    town = _city(domain, city, options.seed, rng)
    plan: StreetPlan = sample_plan(rng, town, gap)
    plan = replace(plan, plot=(str(rng.choice(["paved", "grass"])), str(rng.choice(["paved", "grass"]))))
    light: Light = sample_light(rng, town, domain, view.night)
    camera = sample_camera(rng, view, domain, options, plan, _mount(domain, city, options.seed))
    saturation = 1.1 if domain == "rendered" else 0.8
    scene = Scene(domain, town, plan, light, camera, view.odd, saturation)
    return scene, view, rng


def _backdrop(canvas: Canvas, rng: np.random.Generator, scene: Scene) -> None:
    """Far houses and trees that close the horizon."""
    camera = canvas.camera
    spread = np.arctan(camera.width / 2 / camera.focal) + 0.3 + abs(camera.roll)
    angles = np.arange(-spread, spread, 0.05) + camera.yaw
    distance = rng.uniform(150, 260)
    for angle in angles:
        wide = rng.uniform(0.06, 0.14)
        height = rng.uniform(4, 15)
        leafy = rng.random() < 0.5
        far = distance * rng.uniform(0.9, 1.3)
        turns = np.linspace(angle, angle + wide, 12)
        if leafy:
            tops = height * 0.75 * (0.7 + 0.3 * np.sin(np.linspace(0, np.pi, 12))) + rng.uniform(-0.8, 0.8, 12)
            albedo = jitter(rng, scene.city.leaves[0], 0.3) * 0.7
            if scene.city.bare > 0.5:
                albedo = linear(84, 78, 72)
        else:
            tops = np.full(12, height)
            if rng.random() < 0.5:
                tops[4:8] += 2.5
            palette = scene.city.palette["brick" if rng.random() < 0.5 else "plaster"]
            albedo = palette[int(rng.integers(len(palette)))]
        x, z = np.sin(turns) * far + camera.x, np.cos(turns) * far
        ring = np.concatenate([np.stack([x, tops, z], 1), np.stack([x, np.full(12, -3.0), z], 1)[::-1]])
        outline = canvas.outline(ring)
        if outline is not None:
            colour = canvas.light.ambient * 0.6 + canvas.light.sun * rng.uniform(0.0, 0.5)
            seen = canvas.light.through_air((albedo * colour).astype(np.float32), far * 2.5)
            canvas.flat(outline / 16.0 + 0.5, seen, Label.VEGETATION if leafy else Label.BUILDING)


def _bonnet(canvas: Canvas, city: City, seed: int, number: int) -> None:
    """The own car's bonnet at the lower edge, which belongs to no class."""
    rng = stream(seed, 8, number)
    width, height = canvas.camera.width, canvas.camera.image_height
    t = np.linspace(0, 1, 24)
    peak, shift = rng.uniform(0.02, 0.045) * height, rng.uniform(-0.2, 0.2)
    top = height - peak * np.clip(1 - ((t - 0.5 - shift) / 0.62) ** 2, 0, 1) ** 0.5
    outline = np.concatenate([np.stack([t * width, top], 1), [[width, height + 2.0], [0, height + 2.0]]])
    paint = linear(*rng.choice([[30, 32, 36], [150, 152, 156], [60, 70, 90]]))
    colour = paint * canvas.light.ambient + canvas.light.zenith * 0.12
    canvas.flat(outline, colour, Label.VOID)
    canvas.flat(np.concatenate([outline[:24] + np.array([0, peak * 0.5]), outline[24:]]), colour * 0.6, Label.VOID)


def render(domain: Domain, index: int, options: WorldOptions, city: int) -> tuple[Array, Array]:
    """Draw frame `index` of a domain's `city`.

    Returns the image, RGB uint8 (H, W, 3), and the mask of Cityscapes label ids, uint8 (H, W). The same
    arguments give the same arrays on every call and in every process.
    """
    scene, view, rng = _prepare(domain, index, options, city)
    plan, light, camera = scene.plan, scene.light, scene.camera
    scene.grass = jitter(rng, linear(78, 92, 48), 0.2)
    if rng.random() < 0.3:
        at = rng.uniform(7, 45)
        if not any(abs(at - j.at) < j.width / 2 + 5 for j in plan.junctions) and at < plan.end - 6:
            scene.crossings.append(at)
    for side in (-1, 1):
        line_side(scene, rng, side)
    line_side_streets(scene, rng, scene.city)
    add_kit(scene, rng)
    add_traffic(scene, rng)

    canvas = Canvas(camera, light)
    rays = camera.rays()
    above = np.flatnonzero((rays[..., 1] > -0.02).any(1))
    if len(above):
        stop = int(above[-1]) + 1
        canvas.pixels[:stop, :, :3] = sky(rays[:stop], light, rng)
    canvas.pixels[..., 3] = Label.SKY
    _backdrop(canvas, rng, scene)
    shadows = ShadowMap(light)
    for thing in scene.things:
        if thing.tall and thing.cast:
            thing.cast(shadows)
    sunlit = [shadows.sunlit(*thing.base.mean(0).tolist()) for thing in scene.things]
    for thing in scene.things:
        if not thing.tall and thing.cast:
            thing.cast(shadows)
    shadows.soften()
    paint = paint_road(rng, camera, plan, rng.uniform(0, 1), bool(rng.random() < scene.city.yellow_lines))
    for at in scene.crossings:
        paint_crossing(paint, at, rng.uniform(2.4, 4))
    draw_ground(canvas.pixels, rays, camera, plan, scene.city, light, paint, shadows, rng, scene.grass)
    depths = np.array([thing.depth(camera) for thing in scene.things])
    for i in np.argsort(-depths, kind="stable").tolist():
        if depths[i] > -12:
            scene.things[i].draw(canvas, sunlit[i])
    if scene.city.bonnet:
        _bonnet(canvas, scene.city, options.seed, city)
    mask = np.round(canvas.pixels[..., 3]).astype(np.uint8)
    linear_image = np.ascontiguousarray(canvas.pixels[..., :3])
    device = device_of(domain, city, options.seed)
    return develop(linear_image, mask == Label.SKY, domain, device, rng, view.night), mask
