"""Losses with their gradients, alone and together as the target's head."""

import torch
from torch import Tensor

from benchmarks.part import Forms, Part, drained, near
from benchmarks.plain import losses as plain
from benchmarks.plain.networks import raised
from benchmarks.setting import CLASSES, Setting
from pixda.losses.adversarial import pixadv_loss, rarity
from pixda.losses.distillation import distillation_loss
from pixda.losses.likelihood import pixel_nll_and_softmax
from pixda.losses.segmentation import focal, focal_from_nll
from pixda.models.upsampling import upsample

GAMMA, WEIGHT, TEMPERATURE = 2.0, 0.1, 0.5


def _alpha(setting: Setting) -> Tensor:
    return torch.full((CLASSES,), 0.25, device=setting.device)


def _full(setting: Setting, seed: int) -> Tensor:
    return upsample(setting.logits(setting.batch, seed), setting.shape).requires_grad_()


def _focal(setting: Setting) -> Forms:
    logits, labels, alpha = _full(setting, 1), setting.labels(setting.batch, 2), _alpha(setting)

    def of_plain(z: Tensor, a: Tensor) -> Tensor:
        return plain.focal(z, labels, GAMMA, a)

    def of_product(z: Tensor, a: Tensor) -> Tensor:
        return focal(z, labels, GAMMA, a)

    return _both(logits, lambda z: of_plain(z, alpha.to(z)), lambda z: of_product(z, alpha.to(z)))


def _distillation(setting: Setting) -> Forms:
    student, teacher = _full(setting, 3), _full(setting, 4).detach()
    return _both(
        student,
        lambda z: plain.distillation(z, teacher.to(z), TEMPERATURE),
        lambda z: distillation_loss(z, teacher.to(z), TEMPERATURE, "sum"),
    )


def _both(logits, of_plain, of_product) -> Forms:  # type: ignore[no-untyped-def]
    def forward_backward(loss, z):  # type: ignore[no-untyped-def]
        drained([z])
        value = loss(z)
        value.backward()
        return value.detach(), z.grad

    def check() -> str:
        exact, slope = forward_backward(of_plain, logits.detach().double().requires_grad_())
        value, gradient = forward_backward(of_product, logits)
        near(value, exact, rtol=1e-5)
        worst = near(gradient / slope.abs().max(), slope / slope.abs().max(), atol=1e-5)
        drained([logits])
        return f"{worst} of the largest gradient"

    # The logits are read, the gradient is written.
    return Forms(
        lambda: forward_backward(of_plain, logits),
        lambda: forward_backward(of_product, logits),
        check,
        2 * logits.nbytes,
    )


def _target_head(setting: Setting) -> Forms:
    """From logits to focal loss, S, B and the discriminator's maps, and back; the discriminator is a gradient given."""
    coarse = setting.logits(setting.batch, 5).requires_grad_()
    labels, alpha = setting.labels(setting.batch, 6), _alpha(setting)
    logits = torch.randn(setting.batch, 1, *setting.shape, generator=setting.generator(7)).to(setting.device)
    slope = upsample(setting.logits(setting.batch, 8), setting.shape) * 1e-6

    def of_plain(z: Tensor) -> tuple[Tensor, Tensor]:
        full = raised(z, labels)
        on_target = plain.focal(full, labels, GAMMA, alpha.to(z))
        maps = full.softmax(1)
        adversarial = plain.pixadv(logits.to(z), full, labels)
        return on_target + WEIGHT * adversarial, maps

    def of_product(z: Tensor) -> tuple[Tensor, Tensor]:
        nll, maps = pixel_nll_and_softmax(upsample(z, setting.shape), labels)
        on_target = focal_from_nll(nll, labels, GAMMA, alpha.to(z))
        weights = nll.detach() * rarity(labels)
        return on_target + WEIGHT * pixadv_loss(logits.to(z), weights), maps

    def forward_backward(form, z: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
        drained([z])
        value, maps = form(z)
        torch.autograd.backward([value, maps], [None, slope.to(z)])
        assert z.grad is not None
        return value.detach(), z.grad

    def check() -> str:
        exact, of_exact = forward_backward(of_plain, coarse.detach().double().requires_grad_())
        value, gradient = forward_backward(of_product, coarse)
        near(value, exact, rtol=1e-5)
        worst = near(gradient / of_exact.abs().max(), of_exact / of_exact.abs().max(), atol=1e-5)
        drained([coarse])
        return f"{worst} of the largest gradient"

    return Forms(
        lambda: forward_backward(of_plain, coarse),
        lambda: forward_backward(of_product, coarse),
        check,
        3 * slope.nbytes,
    )


PARTS = [
    Part("focal", "focal loss, forward and backward", _focal, at_least=8),
    Part("distillation", "distillation, forward and backward", _distillation, at_least=2.5),
    Part("head", "the target's head: upsampling, focal loss, S, B, maps", _target_head, at_least=3),
]
