"""The ground seen through each pixel: road, kerb, pavement, grass; textures, wear, shadows."""

from functools import cache

import cv2
import numpy as np

from pixda.data.streets.basics import Array, Label, stream
from pixda.data.streets.camera import Camera
from pixda.data.streets.city import City
from pixda.data.streets.light import Light
from pixda.data.streets.markings import RoadPaint
from pixda.data.streets.noise import tile
from pixda.data.streets.plan import StreetPlan
from pixda.data.streets.shadows import ShadowMap

FAR = 240.0  # metres: beyond it the ground is only haze


@cache
def paving_tile(kind: str) -> Array:
    """A (512, 512) float32 tile of 4 m x 4 m: relative brightness of paving, joints dark."""
    rng = stream(97, sum(map(ord, kind)))
    image = np.zeros((512, 512), np.float32)
    if kind == "slabs":
        rows, height = 8, 64
        for r in range(rows):
            offset = 48 * (r % 2)
            for c in range(6):
                x = c * 96 + offset
                value = rng.normal(0, 0.10)
                for shift in (0, -512, -576):
                    cv2.rectangle(image, (x + shift, r * height), (x + shift + 95, r * height + 63), value, -1)
                    cv2.rectangle(image, (x + shift, r * height), (x + shift + 95, r * height + 63), -0.42, 2)
    elif kind == "bricks":
        for r in range(32):
            for c in range(17):
                x = c * 32 - 16 * (r % 2)
                cv2.rectangle(image, (x, r * 16), (x + 31, r * 16 + 15), rng.normal(0, 0.13), -1)
                cv2.rectangle(image, (x, r * 16), (x + 31, r * 16 + 15), -0.3, 1)
    else:
        image += 0.05 * tile("blotch", 2)
        for x in (0, 256):
            cv2.line(image, (x, 0), (x, 511), -0.3, 3)
    return image


def _sample(texture: Array, u: Array, v: Array, per_metre: float, footprint: Array, grain: float) -> Array:
    """Texture at ground metres (u, v), faded where a pixel covers more than its grain (metres)."""
    seen = cv2.remap(texture, u * per_metre, v * per_metre, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(seen * np.clip(grain * 1.6 / footprint, 0, 1))


def draw_ground(
    pixels: Array,
    rays: Array,
    camera: Camera,
    plan: StreetPlan,
    city: City,
    light: Light,
    paint: RoadPaint,
    shadows: ShadowMap,
    rng: np.random.Generator,
    season: Array,
) -> None:
    """Fill all pixels (H, W, 4) below the horizon; `rays` as from `Camera.rays`, `season` grass colour."""
    fall = -rays[..., 1]
    below = fall > 0.003
    if not below.any():
        return
    top = int(np.flatnonzero(below.any(1))[0])
    fall = np.maximum(fall[top:], 1e-5)
    below = below[top:]
    reach = np.minimum(camera.height / fall, FAR * 2)
    dx, dz = rays[top:, :, 0] * reach, rays[top:, :, 2] * reach
    x, z = dx + np.float32(camera.x), dz
    raised = np.float32((camera.height - plan.kerb) / camera.height)
    x_top, z_top = dx * raised + np.float32(camera.x), dz * raised
    d_low = plan.kerb_distance(x, z).astype(np.float32)
    d_top = plan.kerb_distance(x_top, z_top).astype(np.float32)
    on_top = d_top >= 0
    road = ~on_top & (d_low < 0)
    face = ~on_top & ~road
    x, z = np.where(on_top, x_top, x), np.where(on_top, z_top, z)
    d = np.where(on_top, d_top, d_low)
    u = plan.to_street(x, z).astype(np.float32)
    # A pixel's length on the ground; across it is reach / focal.
    footprint = reach * reach / np.float32(camera.focal * camera.height) + reach / np.float32(camera.focal)
    su, sz = u + np.float32(rng.uniform(0, 300)), z + np.float32(rng.uniform(0, 300))
    variant = int(rng.integers(4))
    broad = _sample(tile("blotch", variant), su, sz, 14.0, footprint, 1.2)
    middle = _sample(tile("cloud", variant), su, sz, 45.0, footprint, 0.4)
    fine = _sample(tile("grain", variant), su, sz, 130.0, footprint, 0.03)
    grime = city.grime

    lane = plan.half_width / plan.lanes
    tracks = np.cos(u * np.float32(4 * np.pi / lane)) * np.clip(1.5 * grime, 0, 1)
    tone = 1 + 0.10 * broad * grime + 0.055 * middle + 0.11 * fine - 0.045 * tracks
    # Dust and grit gather along the kerb.
    tone -= 0.16 * np.exp(-np.abs(d) / np.float32(0.18)) * (0.5 + grime)
    albedo = city.road * tone[..., None]
    for index, side in ((0, -1), (1, 1)):
        width = plan.cycle_lane[index]
        if width and season[0] > season[1] * 0.75:  # some cities colour their cycle lanes
            lane_colour = city.road * np.array([1.75, 0.82, 0.7], np.float32)
            inside = (side * u > plan.half_width - width) & road
            albedo[inside] = lane_colour * tone[inside][:, None]
    rows = slice(top, None)
    worn = np.clip(1.0 + 0.32 * middle * grime - 0.22 * grime + 0.12 * fine, 0.12, 1)
    for mask, colour, strength in (
        (paint.patch, city.road * rng.uniform(0.55, 0.9), 0.9),
        (paint.dark, city.road * 0.28, 1.0),
        (paint.yellow, np.array([0.52, 0.36, 0.08], np.float32), 0.85),
        (paint.white, np.array([0.62, 0.62, 0.60], np.float32), 0.92),
    ):
        cover = mask[rows].astype(np.float32) * np.float32(strength / 255)
        if mask is paint.white or mask is paint.yellow:
            cover = cover * worn
        albedo += (colour - albedo) * cover[..., None]

    # Behind the kerb.
    joints = _sample(paving_tile(city.paving), su, sz, 128.0, footprint, 0.12 if city.paving == "bricks" else 0.3)
    walk_tone = 1 + 0.9 * joints + 0.09 * broad * (0.4 + grime) + 0.06 * middle + 0.09 * fine
    walk = city.pavement * walk_tone[..., None]
    kerb_top = on_top & (d < 0.16)
    stones = np.abs(np.mod(sz, np.float32(0.9)) - 0.45) > 0.43
    kerb_tone = (1 + 0.08 * middle + 0.05 * fine - 0.3 * stones * np.clip(0.06 / footprint * 8, 0, 1))[..., None]
    walk = np.where(kerb_top[..., None], city.kerb * kerb_tone, walk)
    walk = np.where(face[..., None], city.kerb * kerb_tone * np.float32(0.62), walk)
    albedo = np.where(road[..., None], albedo, walk)
    labels = np.where(road, np.float32(Label.ROAD), np.float32(Label.SIDEWALK))

    left = u < 0
    verge = np.where(left, np.float32(plan.verge[0]), np.float32(plan.verge[1]))
    inner = verge + np.where(left, np.float32(plan.walk[0]), np.float32(plan.walk[1]))
    kinds = np.where(left, plan.plot[0] == "grass", plan.plot[1] == "grass")
    beyond = on_top & (d > inner) & kinds
    green = on_top & (d > 0.16) & (d < verge)
    if plan.median:
        green |= on_top & (np.abs(u) < plan.median - 0.2)
    green |= beyond
    if green.any():
        blades = 1 + 0.2 * broad + 0.22 * middle + 0.38 * fine
        grass = season * blades[..., None]
        dry = np.clip(0.35 * broad + 0.25 * middle - 0.1, 0, 1)[..., None] * np.float32(0.8)
        grass += (np.array([0.15, 0.12, 0.06], np.float32) - grass) * dry
        albedo = np.where(green[..., None], grass, albedo)
        labels = np.where(green, np.float32(Label.TERRAIN), labels)

    sun, open_sky = shadows.look_up(x, z)
    up = max(float(light.sun_direction[1]), 0.0)
    received = light.ambient * open_sky[..., None] + light.sun * (up * sun[..., None])
    facing = np.where(face, np.float32(0.75), np.float32(1))[..., None]
    colour = np.maximum(albedo, 0.004) * received * facing
    if light.night:
        colour += np.maximum(albedo, 0.004) * light.lamp_light(x, z)
    # Flat views mirror the sky a little.
    flat = np.clip(1 - fall / np.float32(0.25), 0, 1) ** 3
    colour += light.horizon * (0.05 * flat * open_sky)[..., None]
    colour = light.through_air(colour, reach)
    target = pixels[top:]
    target[..., :3] = np.where(below[..., None], colour, target[..., :3])
    target[..., 3] = np.where(below, labels, target[..., 3])
