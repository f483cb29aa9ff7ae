"""The ground seen through each pixel: road, kerb, pavement, grass; textures, wear, shadows."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from streetworld.basics import Array, Label, stream
from streetworld.camera import Camera
from streetworld.city import City
from streetworld.light import Light
from streetworld.markings import RoadPaint
from streetworld.noise import tile
from streetworld.plan import StreetPlan
from streetworld.shadows import ShadowMap

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


class _Surface(NamedTuple):
    """What the ground's look depends on, flat arrays: place, distance from the kerb, three noises, pixel length."""

    u: Array
    d: Array
    broad: Array
    middle: Array
    fine: Array
    footprint: Array


def _sample(texture: Array, u: Array, v: Array, per_metre: float, footprint: Array, grain: float) -> Array:
    """Texture at ground metres (u, v), faded where a pixel covers more than its grain (metres)."""
    shape, columns = u.shape, 512
    if u.ndim == 1:  # OpenCV takes no rows of any length
        u, v = (np.resize(part, (-(-part.size // columns), columns)) for part in (u, v))
    seen = cv2.remap(texture, u * per_metre, v * per_metre, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    fade = np.minimum(np.float32(grain * 1.6) / footprint, np.float32(1))
    return np.asarray(seen.ravel()[: fade.size].reshape(shape) * fade)


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

    surface = _Surface(*(part.ravel() for part in (u, d, broad, middle, fine, footprint)))
    albedo = _road(surface, plan, city, season)
    _apply_paint(albedo, surface, [m[top:].ravel() for m in (paint.patch, paint.dark, paint.yellow, paint.white)], city)
    labels = np.full(len(albedo), np.float32(Label.ROAD))
    behind = np.flatnonzero(~road.ravel())
    if len(behind):
        part = _Surface(*(values[behind] for values in surface))
        ground, kind = _behind_kerb(
            part, su.ravel()[behind], sz.ravel()[behind], face.ravel()[behind], plan, city, season
        )
        albedo[behind], labels[behind] = ground, kind
    albedo = albedo.reshape(*u.shape, 3)

    sun, open_sky = shadows.look_up(x, z)
    up = max(float(light.sun_direction[1]), 0.0)
    np.maximum(albedo, 0.004, out=albedo)
    colour = light.ambient * open_sky[..., None]
    if shadows.active:
        colour += (light.sun * np.float32(up)) * sun[..., None]
    if light.night:
        colour += light.lamp_light(x, z)
    colour *= albedo
    # Flat views mirror the sky a little.
    flat = np.maximum(1 - fall / np.float32(0.25), 0)
    colour += light.horizon * (np.float32(0.05) * flat * flat * flat * open_sky)[..., None]
    colour = light.through_air(colour, reach)
    target = pixels[top:]
    if below.all():
        target[..., :3], target[..., 3] = colour, labels.reshape(u.shape)
    else:
        target[..., :3][below], target[..., 3][below] = colour[below], labels.reshape(u.shape)[below]


def _road(on: _Surface, plan: StreetPlan, city: City, season: Array) -> Array:
    """Albedo (N, 3) of the carriageway."""
    lane = plan.half_width / plan.lanes
    grime = city.grime
    tracks = np.cos(on.u * np.float32(4 * np.pi / lane)) * np.float32(min(1.5 * grime, 1.0) * 0.045)
    tone = 1 + np.float32(0.10 * grime) * on.broad + np.float32(0.055) * on.middle + np.float32(0.11) * on.fine - tracks
    # Dust and grit gather along the kerb.
    tone -= np.float32(0.16 * (0.5 + grime)) * np.exp(-np.abs(on.d) / np.float32(0.18))
    albedo = tone[:, None] * city.road
    for index, side in ((0, -1), (1, 1)):
        width = plan.cycle_lane[index]
        if width and season[0] > season[1] * 0.75:  # some cities colour their cycle lanes
            inside = np.flatnonzero(side * on.u > plan.half_width - width)
            albedo[inside] *= np.array([1.75, 0.82, 0.7], np.float32)
    return np.asarray(albedo)


def _apply_paint(albedo: Array, on: _Surface, masks: list[Array], city: City) -> None:
    """Lay repairs, dark lines, yellow and white paint on the road, worn where the road is."""
    grime = city.grime
    looks = (
        (city.road * 0.72, 0.9, False),
        (city.road * 0.28, 1.0, False),
        (np.array([0.52, 0.36, 0.08], np.float32), 0.85, True),
        (np.array([0.62, 0.62, 0.60], np.float32), 0.92, True),
    )
    for mask, (colour, strength, wears) in zip(masks, looks, strict=True):
        where = np.flatnonzero(mask)
        cover = mask[where].astype(np.float32) * np.float32(strength / 255)
        if wears:
            worn = 1.0 - 0.22 * grime + np.float32(0.32 * grime) * on.middle[where] + np.float32(0.12) * on.fine[where]
            cover *= np.clip(worn, 0.12, 1)
        albedo[where] += (colour - albedo[where]) * cover[:, None]


def _behind_kerb(
    on: _Surface, su: Array, sz: Array, face: Array, plan: StreetPlan, city: City, season: Array
) -> tuple[Array, Array]:
    """Albedo (N, 3) and label (N,) of kerbs, pavements and grass; `face` marks the kerb's upright side."""
    grain = 0.12 if city.paving == "bricks" else 0.3
    joints = _sample(paving_tile(city.paving), su, sz, 128.0, on.footprint, grain)
    tone = 1 + 0.9 * joints + 0.09 * (0.4 + city.grime) * on.broad + 0.06 * on.middle + 0.09 * on.fine
    albedo = tone[:, None] * city.pavement
    labels = np.full(len(albedo), np.float32(Label.SIDEWALK))
    left = on.u < 0
    verge = np.where(left, np.float32(plan.verge[0]), np.float32(plan.verge[1]))
    inner = verge + np.where(left, np.float32(plan.walk[0]), np.float32(plan.walk[1]))
    green = (on.d > inner) & np.where(left, plan.plot[0] == "grass", plan.plot[1] == "grass")
    green |= ((on.d > 0.16) & (on.d < verge)) | (on.d > inner + 16)
    if plan.median:
        green |= np.abs(on.u) < plan.median - 0.2
    elif plan.islands:
        green &= np.abs(on.u) > 1.0
    lawn = np.flatnonzero(green & ~face)
    if len(lawn):
        broad, middle = on.broad[lawn], on.middle[lawn]
        grass = (1 + 0.2 * broad + 0.22 * middle + 0.38 * on.fine[lawn])[:, None] * season
        dry = np.clip(0.35 * broad + 0.25 * middle - 0.1, 0, 1)[:, None] * np.float32(0.8)
        albedo[lawn] = grass + (np.array([0.15, 0.12, 0.06], np.float32) - grass) * dry
        labels[lawn] = Label.TERRAIN
    kerb = np.flatnonzero(face | (on.d < 0.16))
    stones = np.abs(np.mod(sz[kerb], np.float32(0.9)) - 0.45) > 0.43
    gaps = 0.3 * stones * np.clip(0.5 / on.footprint[kerb], 0, 1)
    stone = 1 + 0.08 * on.middle[kerb] + 0.05 * on.fine[kerb] - gaps
    stone *= np.where(face[kerb], np.float32(0.5), np.float32(1))
    albedo[kerb] = stone[:, None] * city.kerb
    return albedo, labels
