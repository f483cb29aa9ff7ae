"""Dilated depthwise convolutions, whose gradients have no fast path on a processor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolution(conv: nn.Conv2d, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution ``conv`` with this kernel and bias in place of its own.

    A dilated depthwise one that will need gradients is computed on the interleaved grids that dilation splits its
    input into, where it has no dilation: the same sums of the same numbers, and on a processor a third of the time
    (``aten::convolution_backward`` of a dilated depthwise kernel is a reference loop there).
    """
    dilation = conv.dilation[0]
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    same_size = conv.stride == (1, 1) and conv.padding == (dilation * (conv.kernel_size[0] // 2),) * 2
    if dilation > 1 and depthwise and same_size and x.device.type == "cpu" and torch.is_grad_enabled():
        return _on_interleaved_grids(x, kernel, bias, dilation)
    return F.conv2d(x, kernel, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _on_interleaved_grids(x: Tensor, kernel: Tensor, bias: Tensor | None, step: int) -> Tensor:
    """A depthwise convolution of odd size dilated by ``step``: B x C x H x W -> B x C x H x W."""
    batch, channels, height, width = x.shape
    # In the order of channels-last memory, so that whole rows of channels are copied.
    pixels = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, -width % step, 0, -height % step))
    rows, columns = pixels.shape[1] // step, pixels.shape[2] // step
    grids = pixels.reshape(batch, rows, step, columns, step, channels).permute(0, 2, 4, 1, 3, 5)
    grids = grids.reshape(batch * step * step, rows, columns, channels).permute(0, 3, 1, 2)
    out = F.conv2d(grids, kernel, bias, padding=kernel.shape[-1] // 2, groups=channels).permute(0, 2, 3, 1)
    out = out.reshape(batch, step, step, rows, columns, channels).permute(0, 3, 1, 4, 2, 5)
    out = out.reshape(batch, rows * step, columns * step, channels)[:, :height, :width]
    return out.permute(0, 3, 1, 2)
