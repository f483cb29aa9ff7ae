"""How logits are upsampled from a network's own size to the image's, everywhere in the same way."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def upsample(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Bilinear, corners aligned, in float32: ``B x C x h x w`` -> ``B x C x H x W`` with ``size = (H, W)``."""
    # Channels-first memory, which the losses read faster. It is cheap to change here, where the map is still coarse.
    logits = logits.float().contiguous()
    if logits.requires_grad and torch.is_grad_enabled():
        return _Upsample.apply(logits, tuple(size))  # type: ignore[no-any-return, no-untyped-call]
    return _bilinear(logits, size)


def _bilinear(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=True)


class _Upsample(torch.autograd.Function):
    """With two matrix products as gradient: a third of PyTorch's time on a CPU, and deterministic on a GPU."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, size: tuple[int, int]) -> Tensor:
        ctx.coarse = logits.shape[-2:]
        return _bilinear(logits, size)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (height, width), (rows, columns) = ctx.coarse, slope.shape[-2:]
        down = shares(height, rows, slope).mT @ slope.reshape(-1, rows, columns)  # BC x h x W
        return (down @ shares(width, columns, slope)).view(*slope.shape[:2], height, width), None


def shares(coarse: int, fine: int, like: Tensor) -> Tensor:
    """Weights of bilinear interpolation, ``fine x coarse``; each row has at most two above 0, whose sum is 1."""
    step = (coarse - 1) / (fine - 1) if fine > 1 else 0.0
    positions = torch.arange(fine, device=like.device, dtype=like.dtype) * step
    return (1 - (positions[:, None] - torch.arange(coarse, device=like.device)).abs()).clamp_min(0)
