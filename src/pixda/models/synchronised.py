"""Batch statistics over the images of all processes, as one process would have them."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pixda.models.batch_norm import BatchNorm


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose mean and variance in training are those of all processes together.

    Every process gives it as many images, of one size. `nn.SyncBatchNorm` is the same, and works on GPUs only.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Float B x C x H x W -> the same, normalised."""
        if not self.training:
            return super().forward(images)
        features = images.to(torch.promote_types(images.dtype, torch.float32))
        mean = _mean(features.mean((0, 2, 3)))
        centred = features - mean[:, None, None]
        variance = _mean(centred.square().mean((0, 2, 3)))
        self._remember(mean.detach(), variance.detach(), images.numel() // images.shape[1] * dist.get_world_size())
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Take them into the running statistics, as PyTorch does: the variance there is the unbiased one."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * count / max(count - 1, 1), weight)


class _Mean(torch.autograd.Function):
    """The mean of a tensor over all processes; gradients are averaged on their way back, too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _average(value)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return _average(slopes[0])


def _mean(value: Tensor) -> Tensor:
    result: Tensor = _Mean.apply(value)  # type: ignore[no-untyped-call]
    return result


def _average(value: Tensor) -> Tensor:
    result = value.contiguous().clone()
    dist.all_reduce(result)
    return result / dist.get_world_size()


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Let every layer of a network that learns with batch statistics share them with the other processes.

    Parameters, buffers and their names stay as they are. Layers with frozen statistics have nothing to share.
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
    """The running statistics that a process makes of its own images alone."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    layers = [layer for layer in layers if not isinstance(layer, SynchronisedBatchNorm)]
    running = [tensor for layer in layers for tensor in (layer.running_mean, layer.running_var)]
    return [tensor for tensor in running if tensor is not None]
