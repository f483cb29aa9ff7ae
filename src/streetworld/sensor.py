"""From linear light to a picture: a game's tone mapping, or an imitation of a camera on a car."""

from dataclasses import dataclass

import cv2
import numpy as np

from streetworld.basics import Array, Domain, stream
from streetworld.noise import white


@dataclass(frozen=True)
class Device:
    """How one city's camera develops its pictures."""

    blur: float  # pixels
    vignette: float
    cast: Array  # (3,) gain
    contrast: float
    saturation: float
    noise: float
    sharpen: float
    quality: int  # JPEG
    key: float  # brightness that the exposure aims at
    sky_weight: float  # how much a bright sky darkens the rest


def device_of(domain: Domain, number: int, seed: int) -> Device:
    """The device of a city; all rendered cities share one kind."""
    rng = stream(seed, 5, 1 if domain == "camera" else 0, number)
    if domain == "rendered":
        return Device(0.38, 0.0, np.ones(3, np.float32), 1.05, 1.18, 0.0, 0.0, 100, 0.15, 0.15)
    return Device(
        rng.uniform(0.35, 0.6),
        rng.uniform(0.08, 0.3),
        np.exp(rng.normal(0, 0.035, 3)).astype(np.float32),
        rng.uniform(1.15, 1.45),
        rng.uniform(0.65, 0.95),
        rng.uniform(0.006, 0.016),
        rng.uniform(0.4, 1.0),
        int(rng.integers(72, 93)),
        rng.uniform(0.11, 0.17),
        rng.uniform(0.15, 0.5),
    )


def _exposure(linear: Array, labels_sky: Array, key: float, sky_weight: float) -> float:
    small = linear[::6, ::6].mean(2)
    sky = labels_sky[::6, ::6]
    level = np.log(small + 0.002)
    weight = np.where(sky, np.float32(sky_weight), np.float32(1))
    return float(key / np.exp((level * weight).sum() / max(float(weight.sum()), 1e-3)))


def develop(linear: Array, sky: Array, domain: Domain, device: Device, rng: np.random.Generator, night: bool) -> Array:
    """Linear radiance (H, W, 3) float32 -> RGB uint8; `sky` is the boolean mask of the sky."""
    height, width = linear.shape[:2]
    spread = 0.28 if domain == "rendered" else 0.42
    gain = _exposure(linear, sky, device.key, device.sky_weight) * float(np.exp(rng.normal(0, spread)))
    if night:
        gain = min(gain, rng.uniform(2.0, 3.5))
    image: Array = linear * np.float32(gain)
    if domain == "camera":
        image = _optics(image, device, rng)
    else:
        image = cv2.GaussianBlur(image, (3, 3), device.blur)
        image *= np.exp(rng.normal(0, 0.03, 3)).astype(np.float32)
    # Shoulder: highlights roll off; gamma 2; then contrast around the middle.
    root = np.sqrt(np.maximum(image, 0, out=image))
    image *= root
    image *= np.float32(0.25)
    image += 1
    image = root / np.sqrt(image, out=image)
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * np.float32(device.saturation * np.exp(rng.normal(0, 0.08)))
    contrast = np.float32(device.contrast * np.exp(rng.normal(0, 0.05)))
    image = (image - np.float32(0.4)) * contrast + np.float32(0.4)
    if domain == "camera":
        image = _electronics(image, device, rng)
        quality = int(np.clip(device.quality + rng.integers(-6, 7), 50, 97))
        data = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)).reshape(height, width, 3)


def _optics(image: Array, device: Device, rng: np.random.Generator) -> Array:
    height, width = image.shape[:2]
    scale = width / 480
    sigma = max(device.blur * scale * float(np.exp(rng.normal(0, 0.15))), 0.3)
    image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < 0.35:  # the car shakes or turns
        length = int(rng.integers(2, 5))
        angle = rng.uniform(0, np.pi) if rng.random() < 0.4 else rng.normal(0, 0.1)
        kernel = np.zeros((9, 9), np.float32)
        d = np.array([np.cos(angle), np.sin(angle)]) * length * scale / 2
        a, b = np.round((np.array([4, 4]) - d) * 16).astype(int), np.round((np.array([4, 4]) + d) * 16).astype(int)
        cv2.line(kernel, tuple(a.tolist()), tuple(b.tolist()), 1.0, 1, cv2.LINE_8, 4)
        kernel[4, 4] = 1.0
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    # Light from the bright sky scatters in lens and windscreen.
    small = cv2.resize(image, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    veil = cv2.resize(
        cv2.GaussianBlur(np.minimum(small, 2.0), (0, 0), 4), (width, height), interpolation=cv2.INTER_LINEAR
    )
    image = image + veil * np.float32(rng.uniform(0.01, 0.05))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    falloff = 1 - np.float32(device.vignette) * (x * x + y * y) * 0.5
    return np.asarray(image * falloff[..., None] * device.cast, np.float32)


def _electronics(image: Array, device: Device, rng: np.random.Generator) -> Array:
    height, width = image.shape[:2]
    image = np.clip(image, 0, 1)
    tile = white()
    rows, cols = (int(rng.integers(n)) + np.arange(m) for n, m in ((1024, height), (1024, width)))
    noise = tile.take(rows % 1024, 0).take(cols % 1024, 1)
    strength = device.noise * float(np.exp(rng.normal(0, 0.3)))
    grey = noise[..., :1]
    image = image + (noise * np.float32(0.55) + grey * np.float32(0.65)) * (np.float32(strength) * (1.25 - 0.6 * image))
    soft = cv2.GaussianBlur(image, (0, 0), 1.1)
    return np.asarray(image + (image - soft) * np.float32(device.sharpen), np.float32)
