"""Batch norm with the statistics of the images of all processes, as if one process had them all."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pixda.models.layers import BatchNorm


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
