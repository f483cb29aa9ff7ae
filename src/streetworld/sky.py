"""The sky: gradient, sun glow and clouds on a plane high above."""

import cv2
import numpy as np

from streetworld.basics import Array
from streetworld.light import Light
from streetworld.noise import tile


def sky(rays: Array, light: Light, rng: np.random.Generator) -> Array:
    """Radiance (H, W, 3) float32 seen along `rays` (H, W, 3), which should point above the horizon."""
    height, width = rays.shape[:2]
    # Nothing up there is sharp: half the resolution will do.
    half = cv2.resize(rays, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(_sky(half, light, rng), (width, height), interpolation=cv2.INTER_LINEAR))


def _sky(rays: Array, light: Light, rng: np.random.Generator) -> Array:
    length = np.sqrt((rays * rays).sum(2))
    up = np.clip(rays[..., 1] / length, 0.0, 1)
    lift = np.sqrt(up * 1.4).clip(0, 1)[..., None]
    colour = light.horizon + (light.zenith - light.horizon) * lift
    if not light.night:
        towards = np.clip((rays @ light.sun_direction.astype(np.float32)) / length, 0, 1)
        glow = (towards**8 * 0.35 + towards**300 * 3.0)[..., None]
        colour += glow * (light.sun * 0.5 + light.ambient * 0.3)
    # Clouds: sample noise where the ray meets a plane, flattened near the horizon to avoid noise there.
    plane = 42.0 / (up + 0.12) / length
    x = rays[..., 0] * plane + np.float32(rng.uniform(0, 512))
    z = rays[..., 2] * plane + np.float32(rng.uniform(0, 512))
    shape = cv2.remap(tile("puff", int(rng.integers(4))), x, z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    depth = cv2.remap(tile("blotch", 1), x * 0.7, z * 0.7, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    cover = np.clip((shape * 0.8 + light.clouds * 3.6 - 2.0) * 0.9, 0, 1) * np.clip(up * 9, 0.25, 1)
    if light.night:
        cloud = light.horizon * (0.8 + 0.15 * depth[..., None])
    else:
        bright = (light.horizon + light.sun * 0.22) * rng.uniform(0.8, 1.15)
        underside = np.clip(0.78 + 0.16 * shape - 0.1 * depth, 0.35, 1.3)[..., None]
        cloud = bright * underside
    return np.asarray(colour + (cloud - colour) * cover[..., None], np.float32)
