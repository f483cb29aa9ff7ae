"""Batch normalisation that can hold on to its stored statistics while the network trains."""

from typing import Self

from torch import nn


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`; with `frozen_statistics` it stays in eval mode, whatever `train()` says."""

    def __init__(self, channels: int, frozen_statistics: bool = False) -> None:
        super().__init__(channels)
        self.frozen_statistics = frozen_statistics
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Enter training mode, unless the statistics are frozen."""
        return super().train(mode and not self.frozen_statistics)
