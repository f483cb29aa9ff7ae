"""Light and air: sun, sky, haze, lamps at night, and how a surface answers them."""

from dataclasses import dataclass, field

import numpy as np

from streetworld.basics import Array, Domain, pick
from streetworld.city import City


@dataclass
class Light:
    """All light of one frame, in linear radiance; a white wall under the open sky has about 1."""

    sun_direction: Array  # (3,) unit vector towards the sun
    sun: Array  # (3,) radiance of a white surface that faces the sun
    ambient: Array  # (3,) the same from the sky alone
    zenith: Array  # (3,) sky radiance overhead
    horizon: Array  # (3,) sky radiance at the horizon
    haze: float  # share of light lost a metre
    clouds: float  # 0 clear .. 1 closed
    night: bool = False
    lamps: list[tuple[float, float]] = field(default_factory=list)  # (x, z) of lamps that are on

    def lamp_light(self, x: Array | float, z: Array | float) -> Array:
        """Warm light of street lamps and the own headlights at ground points; shape of x plus (3,)."""
        x, z = np.asarray(x, np.float32), np.asarray(z, np.float32)
        total = np.zeros(x.shape, np.float32)
        if self.night:
            for lamp_x, lamp_z in self.lamps:
                total += 1.0 / (1.0 + ((x - lamp_x) ** 2 + (z - lamp_z) ** 2) / 14.0) ** 1.5
            ahead = np.clip(z, 0.5, None)
            total += 1.3 * np.exp(-((x / (0.35 * ahead + 1.0)) ** 2)) * np.exp(-(((ahead - 7) / 9) ** 2))
        return total[..., None] * np.array([0.62, 0.45, 0.26], np.float32)

    def shade(self, albedo: Array, normal: Array, view: Array, gloss: Array, sunlit: float) -> Array:
        """Radiance (N, 3) of faces: albedo, outward normal, direction to the eye, mirror share, sun share."""
        up = normal[:, 1:2]
        diffuse = self.ambient * (0.62 + 0.38 * up)
        towards = np.maximum(normal @ self.sun_direction, 0)[:, None]
        diffuse = diffuse + self.sun * (towards * sunlit)
        colour = albedo * diffuse
        cosine = np.maximum((normal * view).sum(1, keepdims=True), 0)
        mirrored = 2 * cosine * normal - view
        height = np.clip(mirrored[:, 1:2] * 2.2, -1, 1)
        above = self.horizon + (self.zenith - self.horizon) * np.clip(height, 0, 1)
        seen = np.where(height > 0, np.minimum(above, 1.3), self.ambient * 0.16 * (1 + 0.5 * height))
        # Houses stand along the street: what mirrors the lowest part of the sky mostly mirrors walls.
        seen = seen * np.clip(0.35 + 1.6 * np.abs(height), 0, 1)
        fresnel = gloss[:, None] * (0.05 + 0.7 * (1 - cosine) ** 5)
        glint = np.maximum(mirrored @ self.sun_direction, 0)[:, None] ** 60
        return np.asarray(colour + fresnel * seen + gloss[:, None] * glint * self.sun * (0.8 * sunlit))

    def through_air(self, colour: Array, depth: Array | float) -> Array:
        """Radiance after `depth` metres of haze; depth broadcasts against colour[..., 0]."""
        left = np.exp(-self.haze * np.asarray(depth, np.float32))[..., None]
        return np.asarray(colour * left + self.horizon * 0.62 * (1 - left), np.float32)


def sample_light(rng: np.random.Generator, city: City, domain: Domain, night: bool) -> Light:
    """Draw weather and time of day; each city has its own habits."""
    weather = pick(rng, city.weather)
    side = rng.uniform(-np.pi, np.pi)
    height = np.deg2rad(rng.uniform(*city.sun_height))
    direction = np.array([np.sin(side) * np.cos(height), np.sin(height), np.cos(side) * np.cos(height)])
    if night:
        dark = np.array([0.016, 0.02, 0.034], np.float32) * rng.uniform(0.8, 2.5)
        return Light(direction, dark * 0.2, dark, dark * 0.5, dark * 1.6, 0.002, rng.random(), True)
    warm = np.clip(1.2 - 1.3 * np.sin(height), 0, 1)
    sun_colour = np.array([1.0, 0.97 - 0.1 * warm, 0.92 - 0.28 * warm])
    blue = np.array([0.62, 0.82, 1.15])
    saturation = 1.0 if domain == "rendered" else 0.75
    # In a street the ground sees only part of the sky, so the sky itself is brighter than `ambient` tells.
    if weather == "clear":
        sun = sun_colour * rng.uniform(2.0, 3.4)
        ambient = (0.55 + 0.45 * blue) * rng.uniform(0.32, 0.55)
        zenith = np.array([0.16, 0.34, 0.75]) ** saturation * rng.uniform(0.75, 1.1)
        horizon = np.array([0.95, 1.08, 1.2]) * rng.uniform(0.8, 1.4)
        haze, clouds = rng.uniform(0.0008, 0.003), rng.uniform(0.0, 0.55)
    elif weather == "milky":  # thin cloud: soft sun and a white sky
        sun = sun_colour * rng.uniform(0.7, 1.8)
        ambient = (0.85 + 0.15 * blue) * rng.uniform(0.5, 0.75)
        zenith = np.array([0.8, 0.92, 1.08]) * rng.uniform(0.8, 1.3)
        horizon = np.array([1.25, 1.3, 1.32]) * rng.uniform(0.9, 1.5)
        haze, clouds = rng.uniform(0.0008, 0.003), rng.uniform(0.4, 0.9)
    elif weather == "fog":
        sun = sun_colour * 0.05
        ambient = np.ones(3) * rng.uniform(0.7, 0.95)
        zenith = np.array([0.95, 1.0, 1.04]) * rng.uniform(0.7, 1.0)
        horizon, haze, clouds = zenith * 0.95, rng.uniform(0.008, 0.02), 1.0
    else:  # closed cloud
        sun = sun_colour * rng.uniform(0.0, 0.3)
        ambient = (0.9 + 0.1 * blue) * rng.uniform(0.6, 0.95)
        zenith = np.array([0.9, 0.96, 1.02]) * rng.uniform(0.55, 1.1)
        horizon = zenith * rng.uniform(1.0, 1.5)
        haze, clouds = rng.uniform(0.0008, 0.0035), 1.0
    return Light(
        direction,
        sun.astype(np.float32),
        ambient.astype(np.float32),
        (zenith * 1.35).astype(np.float32),
        (horizon * 1.35).astype(np.float32),
        haze,
        clouds,
    )
