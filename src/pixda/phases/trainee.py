"""A trainee: a network, its optimiser and its schedule. Nothing else in the package steps an optimiser."""

from typing import Any, Generic, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from pixda.models.in_parts import InParts
from pixda.models.segmenter import Segmenter
from pixda.models.two_heads import TwoHeads, TwoLogits
from pixda.phases.settings import CriticOptimiser, SegmenterOptimiser

Output = TypeVar("Output")


def poly(step: int, horizon: int, power: float) -> float:
    """Polynomial decay ``(1 - step / horizon) ** power``: 1 at step 0, 0 at the horizon and ever after."""
    return float(max(0.0, 1 - step / horizon) ** power)


class Trainee(Generic[Output]):
    """A network that learns; ``Output`` is what it makes of a batch of images.

    Args:
        fabric: places network and optimiser on their device and wraps them for several processes.
        network: the module to train.
        optimiser: over the network's trainable parameters; the rates it holds now are the schedule's start.
        schedule: whose horizon and power the decay has.
        at_a_time: images that go through the network at a time; None: the whole batch.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        optimiser: Optimizer,
        schedule: SegmenterOptimiser,
        at_a_time: int | None = None,
    ) -> None:
        if schedule.horizon is None:
            raise ValueError("a schedule needs its horizon: the method resolves null to its planned steps")
        self._fabric = fabric
        self.module = network
        learning = network if at_a_time is None else InParts(network, at_a_time)
        self._network, self._optimiser = fabric.setup(learning, optimiser)
        self._first_rates = [group["lr"] for group in optimiser.param_groups]
        self._horizon, self._power = schedule.horizon, schedule.power
        self.steps = 0
        """Optimiser steps taken."""

    def __call__(self, images: Tensor) -> Output:
        """The network's output, with gradients for its parameters."""
        return self._network(images)  # type: ignore[no-any-return]

    def frozen(self, images: Tensor) -> Output:
        """The network's output as a judge: gradients reach the input, never the parameters."""
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            # The bare module: a process group must not wait for gradients that never come.
            with self._fabric.autocast():
                return self.module(images)  # type: ignore[no-any-return]
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)

    def accumulate(self, loss: Tensor) -> None:
        """Add the gradient of ``loss`` to what the next :meth:`descend` uses, and free its graph."""
        self._fabric.backward(loss)

    def descend(self, loss: Tensor) -> None:
        """One optimiser step down the gradient of ``loss`` and of everything accumulated before."""
        self._fabric.backward(loss)
        for group, first in zip(self._optimiser.param_groups, self._first_rates, strict=True):
            group["lr"] = first * poly(self.steps, self._horizon, self._power)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.steps += 1

    @property
    def rate(self) -> float:
        """Learning rate of the first parameter group in the next step."""
        return float(self._first_rates[0] * poly(self.steps, self._horizon, self._power))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on: tensors and plain numbers only."""
        return {
            "network": self.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken."""
        self.module.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]


def segmenter_trainee(fabric: Fabric, segmenter: Segmenter, settings: SegmenterOptimiser) -> Trainee[Tensor]:
    """The segmenter with its optimiser and schedule."""
    return Trainee(fabric, *_with_optimiser(segmenter, settings), settings, segmenter.at_a_time)


def two_heads_trainee(fabric: Fabric, segmenter: Segmenter, settings: SegmenterOptimiser) -> Trainee[TwoLogits]:
    """The segmenter and a new auxiliary head, with one optimiser and schedule."""
    return Trainee(fabric, *_with_optimiser(TwoHeads(segmenter), settings), settings, segmenter.at_a_time)


def _with_optimiser(network: Segmenter | TwoHeads, settings: SegmenterOptimiser) -> tuple[nn.Module, Optimizer]:
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = network.parameter_groups(settings.lr, settings.head_lr_factor)
    optimiser: Optimizer
    if settings.kind == "sgd":
        optimiser = SGD(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
    else:
        optimiser = AdamW(groups, settings.lr, weight_decay=settings.weight_decay)
    return network, optimiser


def critic_trainee(
    fabric: Fabric, critic: nn.Module, settings: CriticOptimiser, schedule: SegmenterOptimiser
) -> Trainee[Tensor]:
    """A critic with its Adam, on the segmenter's schedule."""
    critic = critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = Adam(critic.parameters(), settings.lr, betas=(settings.beta1, settings.beta2))
    return Trainee(fabric, critic, optimiser, schedule)
