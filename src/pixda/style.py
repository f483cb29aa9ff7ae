"""Fourier style transfer: the source keeps its content and takes the target's colours and light.

Yang & Soatto, *FDA: Fourier Domain Adaptation for Semantic Segmentation*, CVPR 2020, eq. 1, used by
PixDA in adaptation and in sample selection (Tavera et al., WACV 2022, section 3.4).
"""

import math
from functools import lru_cache

import torch
from torch import Tensor


def window(height: int, width: int, beta: float) -> int:
    """Half width ``b = floor(beta * min(height, width))`` of the square of low frequencies, in frequencies."""
    half = math.floor(beta * min(height, width))
    return min(half, (min(height, width) - 1) // 2)


def stylise(source: Tensor, target: Tensor, beta: float = 0.01) -> Tensor:
    """Give every source image the low-frequency amplitudes of the target image beside it.

    Per image and channel, with ``A`` and ``P`` the amplitude and phase of the 2-D Fourier transform and ``M``
    one on the frequencies ``-b..b`` of both axes, zero elsewhere:

        result = IFFT2( [M A(target) + (1 - M) A(source)] exp(i P(source)) )

    Only ``(2b + 1)^2`` coefficients change, so no transform of the whole image is made: two skinny products
    give these coefficients (half of them, the images being real), and a low-rank update adds their change
    to the source. The window is symmetric, so the result is real; the released FDA code's corner form covers
    ``-b..b-1`` and is not.

    Args:
        source: float ``B x 3 x H x W``, RGB or BGR, 0..255, before any mean is subtracted.
        target: float of the same shape; image ``j`` gives its style to source image ``j``.
        beta: share of the shorter side that counts as low frequency.

    Returns:
        float ``B x 3 x H x W``. Not clamped: values may leave 0..255, as in the released code.
    """
    return stylise_(source.clone(memory_format=torch.contiguous_format), target, beta)


def stylise_(source: Tensor, target: Tensor, beta: float = 0.01) -> Tensor:
    """``stylise`` in place: ``source``, contiguous, is overwritten and returned. Half of the time is saved."""
    if source.shape != target.shape:
        raise ValueError(f"source {tuple(source.shape)} and target {tuple(target.shape)} must have one shape")
    height, width = source.shape[-2:]
    half = window(height, width, beta)
    rows = _waves(-half, half, height, source.dtype, source.device)  # (2b+1) x H
    columns = _waves(0, half, width, source.dtype, source.device)  # (b+1) x W

    source_low = _low_frequencies(source, rows, columns)
    target_low = _low_frequencies(target, rows, columns)
    amplitude = source_low.abs()
    # A coefficient of amplitude zero has no phase to keep; exp(i 0) = 1, as numpy's angle(0) says.
    phase = torch.where(amplitude > 0, source_low / amplitude.clamp_min(1e-30), torch.ones_like(source_low))
    change = target_low.abs() * phase - source_low  # B x 3 x (2b+1) x (b+1)
    change[..., 1:] *= 2  # the image is real: columns 1..b stand for their mirror images -1..-b too

    # Real part of (rows^H change conj(columns)), as one real product of inner size 2 (b + 1).
    left = rows.mH @ change / (height * width)  # B x 3 x H x (b+1)
    both = torch.cat([left.real, left.imag], -1).flatten(0, 2)  # all lines of all images
    source.view(-1, width).addmm_(both, torch.cat([columns.real, columns.imag]))
    return source


@lru_cache(maxsize=16)
def _waves(first: int, last: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``exp(-2 pi i f x / length)``, a row for each frequency ``first..last``, a column for each position."""
    # The products are reduced as integers first: float32 angles of thousands of turns lose digits.
    turns = (torch.arange(first, last + 1)[:, None] * torch.arange(length)) % length
    angle = turns.double() * (-2 * math.pi / length)
    waves = torch.polar(torch.ones_like(angle), angle)
    return waves.to(device=device, dtype=dtype.to_complex())


def _low_frequencies(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The Fourier coefficients ``B x 3 x (2b+1) x (b+1)`` of real images ``B x 3 x H x W``."""
    across = images @ torch.cat([columns.real, columns.imag]).mT
    count = columns.shape[0]
    return rows @ torch.complex(across[..., :count].contiguous(), across[..., count:].contiguous())
