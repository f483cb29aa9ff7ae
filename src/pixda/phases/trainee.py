"""A trainee: a network, its optimiser and its schedule. Nothing else in the package steps an optimiser."""

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from pixda.losses.adversarial import discriminator_loss
from pixda.machine import distributed
from pixda.models.layers import own_statistics
from pixda.models.recompute import InMicroBatches
from pixda.models.segmenter import Segmenter
from pixda.models.two_heads import TwoHeads, TwoLogits
from pixda.phases.released_sgd import ReleasedSGD, in_groups
from pixda.phases.settings import DiscriminatorOptimiser, SegmenterOptimiser

Output = TypeVar("Output")


def poly(step: int, horizon: int, power: float) -> float:
    """Polynomial decay ``(1 - step / horizon) ** power``: 1 at step 0, 0 at the horizon and ever after."""
    return float(max(0.0, 1 - step / horizon) ** power)


class Trainee(Generic[Output]):
    """A network that learns; ``Output`` is the type of its output.

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
        learning = network if at_a_time is None else InMicroBatches(network, at_a_time)
        self._network, self._optimiser = fabric.setup(learning, optimiser)
        self._more = False
        self._first_rates = [group["lr"] for group in optimiser.param_groups]
        self._horizon, self._power = schedule.horizon, schedule.power
        self.steps = 0
        """Optimiser steps taken, including skipped ones."""
        self.skipped = False
        """Whether the last step was skipped."""
        self._good_buffers: list[Tensor] | None = None

    def __call__(self, images: Tensor, more: bool = False) -> Output:
        """The network's output, with gradients for its parameters.

        Args:
            images: a batch.
            more: another pass follows before the next step; several processes exchange their gradients after the
                last one, for all of them.
        """
        self._more = more
        with self._fabric.no_backward_sync(self._network, enabled=more):
            return self._network(images)  # type: ignore[no-any-return]

    def frozen(self, images: Tensor) -> Output:
        """The network's output with its weights held: gradients reach the input, never the parameters."""
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            # The bare module: DDP would wait for gradients that never come.
            with self._fabric.autocast():
                return self.module(images)  # type: ignore[no-any-return]
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)

    def frozen_and_own(self: "Trainee[Tensor]", images: Tensor) -> tuple[Tensor, Tensor]:
        """One forward pass for two uses: what ``frozen`` gives, and what a call gives on detached ``images``.

        Gradients of the first output reach the images alone, those of the second the parameters alone; both equal
        those of two passes to the last bit. Go backward from the first output before the second one, which frees the
        graph. Another pass must follow before the next step.
        """
        own_images = images.detach().requires_grad_()
        own = self(own_images, more=True)
        return _Frozen.apply(images, _Pass(own_images, own)), own  # type: ignore[no-untyped-call]

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of ``loss`` to what the next ``step`` uses, and free its graph."""
        self._fabric.backward(loss)

    def step(self) -> None:
        """One optimiser step down all gradients since the step before."""
        if self._more:
            raise ValueError("the last pass before a step is the one after which processes exchange their gradients")
        for group, first in zip(self._optimiser.param_groups, self._first_rates, strict=True):
            group["lr"] = first * poly(self.steps, self._horizon, self._power)
        self.skipped = self._good_buffers is not None and not self._gradients_are_finite()
        if not self.skipped:
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        if self._good_buffers is not None:
            # Restore batch-norm statistics after a skipped step, or keep the good ones.
            for buffer, good in zip(self.module.buffers(), self._good_buffers, strict=True):
                (buffer if self.skipped else good).copy_(good if self.skipped else buffer)
        self.steps += 1
        self._share_statistics()

    def _share_statistics(self) -> None:
        """Average the running statistics over all ranks, where each has its own batch statistics."""
        mine = own_statistics(self.module) if self._fabric.world_size > 1 else []
        if mine:
            of_all = torch.split(distributed.mean(self._fabric, torch.cat(mine)), [len(one) for one in mine])
            for one, mean in zip(mine, of_all, strict=True):
                one.copy_(mean)

    def skip_not_finite_steps(self) -> None:
        """Skip steps whose gradients are not all finite from now on; each step then waits for the device."""
        self._good_buffers = [buffer.clone() for buffer in self.module.buffers()]

    def is_finite(self) -> bool:
        """Whether all weights and statistics are finite."""
        return _finite(self.module.state_dict().values())

    def _gradients_are_finite(self) -> bool:
        # Gradients, not the loss: they are shared, so that all ranks skip the step or none.
        return _finite(p.grad for p in self.module.parameters() if p.grad is not None)

    @property
    def rate(self) -> float:
        """Learning rate of the first parameter group in the next step."""
        return float(self._first_rates[0] * poly(self.steps, self._horizon, self._power))

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser state and step count: tensors and plain numbers only."""
        return {
            "network": self.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.module.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]


def _finite(tensors: Iterable[Tensor]) -> bool:
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


class _Pass(NamedTuple):
    """A forward pass with gradients for the parameters: hidden from autograd, which would otherwise run through it."""

    images: Tensor
    output: Tensor


class _Frozen(torch.autograd.Function):
    """The output of such a pass, with a gradient for the images alone."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, one_pass: _Pass) -> Tensor:
        ctx.one_pass = one_pass
        return one_pass.output.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        images, output = ctx.one_pass
        return torch.autograd.grad(output, images, gradient, retain_graph=True)[0], None


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
    if settings.kind == "sgd" and settings.updates == "as_released":
        groups = in_groups(network, groups)
        optimiser = ReleasedSGD(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
    elif settings.kind == "sgd":
        optimiser = SGD(groups, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
    else:
        optimiser = AdamW(groups, settings.lr, weight_decay=settings.weight_decay)
    return network, optimiser


def discriminator_trainee(
    fabric: Fabric, discriminator: nn.Module, settings: DiscriminatorOptimiser, schedule: SegmenterOptimiser
) -> Trainee[Tensor]:
    """A discriminator with its Adam, on the segmenter's schedule."""
    discriminator = discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = Adam(discriminator.parameters(), settings.lr, betas=(settings.beta1, settings.beta2))
    return Trainee(fabric, discriminator, optimiser, schedule)


def discriminator_step(
    name: str, discriminator: Trainee[Tensor], of_source: Tensor, of_target: Tensor, share: float = 1.0
) -> dict[str, Tensor]:
    """One step of a discriminator from its logits (eq. 2 or 7): its loss, and its accuracy as the domains' mean.

    ``share``: by how much the mean over this process's source maps counts among those of all processes.
    """
    loss = discriminator_loss(of_source, of_target, share)
    discriminator.backward(loss)
    discriminator.step()
    accuracy = (share * (of_source < 0).float().mean() + (of_target > 0).float().mean()) / 2
    return {name: loss.detach(), f"{name}_accuracy": accuracy.detach()}
