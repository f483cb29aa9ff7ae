"""Collects losses on the device, reads them rarely, and finds the batch of the first that is not finite."""

import math
from typing import NamedTuple

import torch
from lightning_fabric import Fabric

from pixda.data.domains import StepBatch
from pixda.machine import distributed
from pixda.phases.phase import Losses


class NotFinite(Exception):
    """A loss is NaN or infinite.

    Attributes:
        step: the first step of the phase at which one is.
        losses: all losses of that step.
        batch: the batch of that step, without its pixels.
    """

    def __init__(self, step: int, losses: dict[str, float], batch: StepBatch) -> None:
        super().__init__(f"not finite at step {step}: {losses}")
        self.step, self.losses, self.batch = step, losses, batch


class _Seen(NamedTuple):
    step: int
    batch: StepBatch
    losses: Losses


class Readings:
    """Keep losses on the device and transfer them rarely: each transfer makes the host wait for the GPU.

    Of several processes all read the mean, so that what is not finite in one of them stops them all.

    Args:
        fabric: the processes.
        at_once: look at every step as it is added, which costs nothing where there is nothing to wait for (CPU).
    """

    def __init__(self, fabric: Fabric, at_once: bool) -> None:
        self._fabric, self._at_once = fabric, at_once
        self._unread: list[_Seen] = []
        self._read: list[dict[str, float]] = []

    def add(self, step: int, batch: StepBatch, losses: Losses) -> None:
        """The losses of one step. Raises NotFinite where every step is looked at."""
        self._unread.append(_Seen(step, batch.without_pixels(), losses))
        if self._at_once:
            self.read()

    def read(self) -> None:
        """Bring all that was added to the host in one transfer. Raises NotFinite with the first step that is not."""
        if not self._unread:
            return
        mine = torch.stack([value.float() for seen in self._unread for value in seen.losses.values()])
        values = iter(distributed.mean(self._fabric, mine).tolist())
        unread, self._unread = self._unread, []
        for seen in unread:
            losses = {name: next(values) for name in seen.losses}
            if not all(math.isfinite(value) for value in losses.values()):
                raise NotFinite(seen.step, losses, seen.batch)
            self._read.append(losses)

    def means(self) -> dict[str, float]:
        """The mean of each loss over the steps since the last means in which it took part. Raises NotFinite."""
        self.read()
        names = dict.fromkeys(name for losses in self._read for name in losses)  # in the order of their first step
        means = {}
        for name in names:  # a loss may be absent from a step: its source has dropped out
            values = [losses[name] for losses in self._read if name in losses]
            means[name] = sum(values) / len(values)
        self._read = []
        return means
