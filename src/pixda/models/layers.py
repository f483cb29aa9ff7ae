"""Convolution and batch normalisation as the backbones use them, in one process or in several."""

from typing import Any, Self

import torch
import torch.distributed as dist
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


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose mean and variance in training are those of all processes together.

    Every process must pass equally many images of the same size. `nn.SyncBatchNorm` does the same on GPUs only.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Float B x C x H x W -> the same, normalised."""
        if not self.training:
            return super().forward(images)
        features = images.to(torch.promote_types(images.dtype, torch.float32))
        normalised, mean, variance = _Normalise.apply(features, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._remember(mean, variance, images.numel() // images.shape[1] * dist.get_world_size())
        result: Tensor = normalised.to(images.dtype)
        return result

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as PyTorch does, with the unbiased variance."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * count / max(count - 1, 1), weight)


class _Normalise(torch.autograd.Function):
    """``(x - m) / sqrt(v + eps) weight + bias`` with the mean m and the variance v of all processes' features.

    Processes exchange their means and variances in the forward pass, and in the backward pass the two sums over pixels
    by which m and v enter the gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        own_variance, own_mean = torch.var_mean(x, (0, 2, 3), correction=0)
        of_each = [torch.empty(2, x.shape[1], dtype=x.dtype) for _ in range(dist.get_world_size())]
        dist.all_gather(of_each, torch.stack([own_mean, own_variance]))
        means, variances = torch.stack(of_each, 1)
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        scale = (variance + eps).rsqrt() * weight
        return (x - mean[:, None, None]).mul_(scale[:, None, None]).add_(bias[:, None, None]), mean, variance

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance = ctx.saved_tensors
        # The gradient if mean and variance did not depend on x; then sum(slope * normalised x) and sum(slope).
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            slope, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([of_weight, of_bias])
        dist.all_reduce(sums)
        sums /= x.numel() // x.shape[1] * dist.get_world_size()
        inverse = (variance + ctx.eps).rsqrt()
        through_variance, through_mean = (sums * weight * inverse)[..., None, None]
        centred = x - mean[:, None, None]
        of_x = of_x.addcmul_(centred, -through_variance * inverse[:, None, None]).sub_(through_mean)
        return of_x, of_weight, of_bias, None


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Replace every batch norm that uses the batch's statistics by one that shares them with the other processes.

    Parameters, buffers and their names stay the same. Layers with frozen statistics stay as they are.
    """
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.BatchNorm2d) and not (isinstance(layer, BatchNorm) and layer.frozen_statistics):
                setattr(parent, name, _synchronised(layer, device))


def _synchronised(layer: nn.BatchNorm2d, device: torch.device) -> nn.Module:
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(layer)  # type: ignore[no-untyped-call]
        return converted
    shared = SynchronisedBatchNorm(layer.num_features, layer.eps, layer.momentum)
    shared.weight, shared.bias = layer.weight, layer.bias
    shared.running_mean, shared.running_var = layer.running_mean, layer.running_var
    shared.num_batches_tracked = layer.num_batches_tracked
    return shared.train(layer.training)


def own_statistics(network: nn.Module) -> list[Tensor]:
    """The running statistics that are computed from this process' images alone."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    layers = [layer for layer in layers if not isinstance(layer, SynchronisedBatchNorm)]
    running = [tensor for layer in layers for tensor in (layer.running_mean, layer.running_var)]
    return [tensor for tensor in running if tensor is not None]
