"""Batch normalisation that can hold on to its stored statistics while the network trains, and is then no work."""

from typing import Self

from torch import Tensor, nn

from pixda.models.dilated import convolution

AnyBatchNorm = nn.modules.batchnorm._BatchNorm
"""This one, or what takes its place where several processes share their statistics."""


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`; with `frozen_statistics` it stays in eval mode, whatever `train()` says."""

    def __init__(self, channels: int, frozen_statistics: bool = False) -> None:
        super().__init__(channels)
        self.frozen_statistics = frozen_statistics
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Enter training mode, unless the statistics are frozen."""
        return super().train(mode and not self.frozen_statistics)


def convolved(conv: nn.Conv2d, norm: AnyBatchNorm, x: Tensor) -> Tensor:
    """``norm(conv(x))``, of a convolution without bias.

    With stored statistics the norm is a scale and a shift of each channel: they go into the kernel, so that the
    features are neither passed over again nor kept twice for the gradient. Scale and shift learn all the same.
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
