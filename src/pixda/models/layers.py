"""Convolution and batch normalisation as the backbones use them."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AnyBatchNorm = nn.modules.batchnorm._BatchNorm
"""`BatchNorm` below, or the layer that replaces it where several processes share their statistics."""


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`; with `frozen_statistics` it always uses its stored mean and variance and keeps them."""

    def __init__(self, channels: int, frozen_statistics: bool = False, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)
        self.frozen_statistics = frozen_statistics
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training mode; with frozen statistics the layer stays in evaluation mode."""
        return super().train(mode and not self.frozen_statistics)


def convolved(conv: nn.Conv2d, norm: AnyBatchNorm, x: Tensor) -> Tensor:
    """``norm(conv(x))``, for a convolution without bias.

    With stored statistics the norm only scales and shifts each channel. The scale is multiplied into the kernel, which
    saves a pass over the features and a copy of them for the gradient. Scale and shift are still trained.
    """
    if norm.training:
        normalised: Tensor = norm(conv(x))
        return normalised
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    kernel = conv.weight * scale.view(-1, 1, 1, 1)
    shift = norm.bias - norm.running_mean * scale
    return convolution(conv, x, kernel, shift)


def convolution(conv: nn.Conv2d, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution ``conv`` with this kernel and bias in place of its own.

    On a processor the gradient of a dilated depthwise convolution is slow: PyTorch computes it with a reference loop.
    Such a convolution is therefore computed without dilation on interleaved grids, in a third of the time.
    """
    dilation = conv.dilation[0]
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    same_size = conv.stride == (1, 1) and conv.padding == (dilation * (conv.kernel_size[0] // 2),) * 2
    if dilation > 1 and depthwise and same_size and x.device.type == "cpu" and torch.is_grad_enabled():
        return _on_interleaved_grids(x, kernel, bias, dilation)
    return F.conv2d(x, kernel, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _on_interleaved_grids(x: Tensor, kernel: Tensor, bias: Tensor | None, step: int) -> Tensor:
    """A depthwise convolution dilated by ``step``, with an odd kernel: B x C x H x W -> B x C x H x W.

    Every ``step``-th row and column form one grid. A dilated kernel only combines pixels of the same grid, in which
    they are neighbours.
    """
    batch, channels, height, width = x.shape
    # Channels last, so that the channels of a pixel are copied as one piece of memory.
    pixels = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, -width % step, 0, -height % step))
    rows, columns = pixels.shape[1] // step, pixels.shape[2] // step
    grids = pixels.reshape(batch, rows, step, columns, step, channels).permute(0, 2, 4, 1, 3, 5)
    grids = grids.reshape(batch * step * step, rows, columns, channels).permute(0, 3, 1, 2)
    out = F.conv2d(grids, kernel, bias, padding=kernel.shape[-1] // 2, groups=channels).permute(0, 2, 3, 1)
    out = out.reshape(batch, step, step, rows, columns, channels).permute(0, 3, 1, 4, 2, 5)
    out = out.reshape(batch, rows * step, columns * step, channels)[:, :height, :width]
    return out.permute(0, 3, 1, 2)
