"""Random changes of a training sample: crop, flip, scale, colour, blur, noise. The draw's seed decides each."""

import math

import torch
import torch.nn.functional as F
from kornia import enhance
from kornia.filters import gaussian_blur2d
from torch import Tensor

from pixda.data.classes import IGNORE
from pixda.data.config import Augmentation
from pixda.data.dataset import Sample
from pixda.errors import UserError


def check_augmentation(settings: Augmentation) -> str | None:
    """What is wrong with these settings, or None."""
    if settings.scale is not None and not 0.1 <= settings.scale[0] <= settings.scale[1] <= 10:
        return f"recipe.augmentation.scale is {list(settings.scale)}; it has to be [least, most] between 0.1 and 10."
    for name, most in (("colour", 1), ("blur", 1), ("noise", 100)):
        if not 0 <= getattr(settings, name) <= most:
            return f"recipe.augmentation.{name} is {getattr(settings, name):g}; it has to be from 0 to {most}."
    return None


def random_crop(sample: Sample, size: tuple[int, int], generator: torch.Generator) -> Sample:
    """Cut out `size` (width, height) at a place drawn evenly. Raises UserError if the frame is smaller."""
    width, height = size
    down, right = sample.mask.shape[0] - height, sample.mask.shape[1] - width
    if down < 0 or right < 0:
        raise UserError(
            f"A crop of {width} x {height} does not fit into frame '{sample.name}' of "
            f"{sample.mask.shape[1]} x {sample.mask.shape[0]} (width x height); choose a smaller crop."
        )
    top = int(torch.randint(down + 1, (), generator=generator))
    left = int(torch.randint(right + 1, (), generator=generator))
    window = slice(top, top + height), slice(left, left + width)
    return sample._replace(image=sample.image[:, *window], mask=sample.mask[window])


def flip(sample: Sample, generator: torch.Generator) -> Sample:
    """Mirror left and right in half of all cases."""
    if torch.rand((), generator=generator) < 0.5:
        return sample
    return sample._replace(image=sample.image.flip(-1), mask=sample.mask.flip(-1))


def scaled_crop(
    sample: Sample, size: tuple[int, int], scale: tuple[float, float], generator: torch.Generator
) -> Sample:
    """A crop of ``size`` (width, height) that shows the scene ``s`` times as large, s drawn evenly on a log scale.

    What is cut out is ``size / s``, so that the cost does not grow with s. Where that is larger than the frame, the
    rest of the image is grey (127) and ignored in the mask.
    """
    low, high = (math.log(side) for side in scale)
    s = math.exp(low + (high - low) * _uniform(generator))
    cut = [max(1, round(side / s)) for side in (size[1], size[0])]
    height, width = sample.mask.shape
    missing = max(0, cut[0] - height), max(0, cut[1] - width)
    if any(missing):
        top, left = (int(_uniform(generator) * (side + 1)) for side in missing)
        pads = (left, missing[1] - left, top, missing[0] - top)
        sample = sample._replace(
            image=F.pad(sample.image, pads, value=127), mask=F.pad(sample.mask, pads, value=IGNORE)
        )
    down, right = sample.mask.shape[0] - cut[0], sample.mask.shape[1] - cut[1]
    top, left = int(_uniform(generator) * (down + 1)), int(_uniform(generator) * (right + 1))
    window = slice(top, top + cut[0]), slice(left, left + cut[1])
    shape = (size[1], size[0])
    image = F.interpolate(
        sample.image[:, *window][None].float(), shape, mode="bilinear", align_corners=False, antialias=s < 1
    )
    mask = F.interpolate(sample.mask[window][None, None].float(), shape, mode="nearest-exact")
    return sample._replace(
        image=image[0].round().clamp(0, 255).to(sample.image.dtype), mask=mask[0, 0].to(sample.mask.dtype)
    )


def recoloured(sample: Sample, settings: Augmentation, generator: torch.Generator) -> Sample:
    """The image in other colours, perhaps blurred, with noise; uint8 as before. The mask stays."""
    if not (settings.colour or settings.blur or settings.noise):
        return sample
    image = sample.image[None].float() / 255
    if settings.colour > 0:
        image = jitter_colours(image, settings.colour, generator)
    if _uniform(generator) < settings.blur:
        sigma = 0.3 + 1.2 * _uniform(generator)
        image = gaussian_blur2d(image, (7, 7), (sigma, sigma))
    if settings.noise > 0:
        spread = settings.noise / 255 * _uniform(generator)
        image = image + spread * torch.randn(image.shape, generator=generator)
    return sample._replace(image=(image[0] * 255).round().clamp(0, 255).to(sample.image.dtype))


def jitter_colours(image: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation times ``1 ± strength``; hue turned by up to 15 degrees times the strength.

    Args:
        image: float ``1 x 3 x H x W``, 0..1.
        strength: 0..1.
        generator: on the CPU; decides all four.
    """
    brightness, contrast, saturation = (1 + strength * (2 * _uniform(generator) - 1) for _ in range(3))
    hue = strength / 4 * (2 * _uniform(generator) - 1) * math.pi / 3
    image = enhance.adjust_brightness_accumulative(image, brightness)
    image = enhance.adjust_contrast_with_mean_subtraction(image, contrast)
    image = enhance.adjust_saturation(image, saturation)
    return enhance.adjust_hue(image, hue)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
