"""The discriminators in one step: the segmenter's gradient through the one it must fool, and each one's own."""

import copy

import torch
from torch import Tensor, nn

from benchmarks.part import Forms, Part, near, near_as_a_whole
from benchmarks.parts.networks import fabric
from benchmarks.plain import losses as plain
from benchmarks.plain.networks import in_plain_form
from benchmarks.setting import CLASSES, Setting
from pixda.losses.adversarial import discriminator_loss, pixadv_loss
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator
from pixda.phases.settings import DiscriminatorOptimiser, SegmenterOptimiser
from pixda.phases.trainee import discriminator_trainee


def _maps(setting: Setting, seed: int) -> Tensor:
    logits = torch.randn(setting.discriminators_batch, CLASSES, *setting.shape, generator=setting.generator(seed)) * 2
    return logits.softmax(1).to(setting.device)


def _pixel(setting: Setting) -> Forms:
    twin, source, target = PixelDiscriminator(CLASSES), _maps(setting, 1), _maps(setting, 2)
    discriminator = in_plain_form(twin).to(setting.device)
    twin = twin.to(setting.device, memory_format=torch.channels_last)
    trainee = discriminator_trainee(fabric(setting), twin, DiscriminatorOptimiser(), SegmenterOptimiser())
    weights = torch.rand(setting.discriminators_batch, *setting.shape, generator=setting.generator(3)).to(
        setting.device
    )

    def of_plain(
        discriminator: nn.Module = discriminator, s: Tensor = source, t: Tensor = target, w: Tensor = weights
    ) -> Tensor:
        maps = t.detach().requires_grad_()
        discriminator.zero_grad()
        discriminator.requires_grad_(False)
        fooled = nn.functional.binary_cross_entropy_with_logits(
            logits := discriminator(maps), torch.zeros_like(logits), reduction="none"
        )
        (w * fooled.squeeze(1)).mean().backward()
        discriminator.requires_grad_(True)
        plain.discriminator_half(discriminator(s), 0.0).backward()
        plain.discriminator_half(discriminator(t), 1.0).backward()
        assert maps.grad is not None
        return maps.grad

    def of_product() -> Tensor:
        maps = target.detach().requires_grad_()
        twin.zero_grad()
        logits, of_target = trainee.frozen_and_own(maps)
        pixadv_loss(logits, weights).backward()
        trainee.backward(discriminator_loss(trainee(source), of_target))
        assert maps.grad is not None
        return maps.grad

    def check() -> str:
        exact_discriminator = copy.deepcopy(discriminator).double()
        exact = of_plain(exact_discriminator, source.double(), target.double(), weights.double())
        return near_as_a_whole(of_product(), exact, 1e-3)

    return Forms(of_plain, of_product, check)


def _image(setting: Setting) -> Forms:
    discriminator, source, target = ImageDiscriminator(CLASSES).to(setting.device), _maps(setting, 1), _maps(setting, 2)
    twin = ImageDiscriminator(CLASSES).to(setting.device, memory_format=torch.channels_last)
    twin.load_state_dict(discriminator.state_dict())

    def of_plain() -> Tensor:
        discriminator.zero_grad()
        halves = [
            plain.discriminator_half(discriminator(maps), label) for maps, label in ((source, 0.0), (target, 1.0))
        ]
        for half in halves:
            half.backward()
        return (halves[0] + halves[1]).detach()

    def of_product() -> Tensor:
        twin.zero_grad()
        loss = discriminator_loss(*twin(torch.cat([source, target])).tensor_split(2))
        loss.backward()
        return loss.detach()

    return Forms(of_plain, of_product, lambda: near(of_product(), of_plain(), rtol=1e-5))


PARTS = [
    Part("pixel_discriminator", "pixel discriminator, its three uses", _pixel, at_least=1.7),
    Part("image_discriminator", "image discriminator, forward and backward", _image),
]
