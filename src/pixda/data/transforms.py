"""Paired geometry: image and mask of a sample are cut or turned over together."""

import torch

from pixda.data.dataset import Sample
from pixda.errors import UserError


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
