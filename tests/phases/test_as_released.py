"""Steps of adaptation, preset official, beside the released training step written out in plain torch.

What is known to differ, and listed in docs/method.md, is the same on both sides here: the style transfer (one function
for both) and the size of the network.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from making import make
from pixda.data.domains import StepBatch
from pixda.methods.presets import PRESETS
from pixda.models.deeplab import DeepLabV2, DilatedSum, ResNet
from pixda.phases.adversarial import Adversarial
from pixda.style import stylise


class Released:
    """One step as the release takes it, from copies of the same three networks."""

    def __init__(self, model, model_d, model_d2, lr, d_lr, horizon):
        self.model, self.model_d, self.model_d2 = model, model_d, model_d2
        self.lr, self.d_lr, self.horizon, self.count = lr, d_lr, horizon, 0
        self.adams = [torch.optim.Adam(net.parameters(), d_lr, betas=(0.9, 0.99)) for net in (model_d, model_d2)]
        backbone = model.backbone
        parts = [backbone.conv1, backbone.bn1, backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4]
        self.listed = [
            (k, 1.0) for part in parts for j in part.modules() for k in j.parameters() if k.requires_grad
        ] + [(k, 10.0) for k in model.head.parameters()]
        self.buffers = {}

    def focal(self, logits, labels):
        valid = labels != 255
        p = F.softmax(logits, 1).gather(1, torch.where(valid, labels, 0)[:, None])[:, 0][valid] + 1e-6
        alpha = torch.full((logits.shape[1],), 0.75, dtype=logits.dtype)
        alpha[2] = 0.25
        return (-((1 - p) ** 2) * alpha[labels[valid]] * p.log()).mean()

    def pixadv(self, logits, judged, labels):
        fooled = F.binary_cross_entropy_with_logits(judged, torch.zeros_like(judged), reduction="none")[:, 0]
        shift = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
        balance = torch.zeros(labels.shape, dtype=logits.dtype)
        for image, label in enumerate(labels):
            for value in label.unique():
                here = label == value
                balance[image][here] = 1 - here.sum() / label.numel()
        return (fooled * shift * balance).mean()

    def step(self, source, target):
        rate = (1 - self.count / self.horizon) ** 0.9
        for net in (self.model, self.model_d, self.model_d2):
            net.train()
            net.zero_grad()
        size = source.masks.shape[-2:]

        def seen(images):
            return F.interpolate(self.model(images), size, mode="bilinear", align_corners=True)

        self.model_d.requires_grad_(False)
        source_logits = seen(stylise(source.images, target.images, 0.01))
        on_source = self.focal(source_logits, source.masks)
        on_source.backward()
        target_logits = seen(target.images)
        on_target = self.focal(target_logits, target.masks)
        adversarial = self.pixadv(target_logits, self.model_d(target_logits.softmax(1)), target.masks)
        (0.1 * adversarial + on_target).backward()
        self.model_d.requires_grad_(True)
        losses = {"source": on_source, "target": on_target, "adversarial": adversarial}
        for name, net in (("discriminator", self.model_d), ("selection_discriminator", self.model_d2)):
            losses[name] = 0.0
            for logits, truth in ((source_logits, 0.0), (target_logits, 1.0)):
                judged = net(logits.detach().softmax(1))
                loss = F.binary_cross_entropy_with_logits(judged, torch.full_like(judged, truth)) / 2
                loss.backward()
                losses[name] = losses[name] + loss
        with torch.no_grad():
            before = dict(self.buffers)
            for weight, factor in self.listed:
                change = weight.grad + 5e-4 * weight
                if weight in before:
                    self.buffers[weight].mul_(0.9).add_(change)
                else:
                    self.buffers[weight] = change.clone()
                weight -= self.lr * factor * rate * self.buffers[weight]
        for adam in self.adams:
            adam.param_groups[0]["lr"] = self.d_lr * rate
            adam.step()
        self.count += 1
        return {name: value.item() for name, value in losses.items()}


@pytest.fixture
def phase(context, classes):
    """In float64, but for the discriminators' logits, whose losses are taken in float32."""
    torch.manual_seed(1)
    context.fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
    official = PRESETS["official"]
    backbone = ResNet(blocks=(1, 2, 1, 1), width=4)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)  # the release begins from trained weights, not from 0.01
    context.segmenter = DeepLabV2(backbone, DilatedSum(backbone.channels, 4), classes, "caffe").double()
    # A short horizon, so that the decay shows.
    optimiser = official["segmenter"].__class__(lr=1e-3, updates="as_released", horizon=100)
    settings = {"loss": official["loss"], "alignment": official["alignment"]}
    discriminators = official["discriminators"]
    return make(Adversarial, context, optimiser=optimiser, discriminator_optimiser=discriminators, **settings)


@pytest.mark.parametrize("steps", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_official_follows_the_released_losses(phase, pair, steps):
    (judge,) = phase.selector.discriminators
    networks = [phase.segmenter.module, phase.discriminator.module, judge.module]
    released = Released(*map(copy.deepcopy, networks), 1e-3, 4e-4, 100)
    pair = StepBatch(*(batch._replace(images=batch.images.double()) for batch in pair[:2]))
    told = []
    for number in range(steps):
        told.append(released.step(*copy.deepcopy(pair)[:2]))
        losses = phase.step(copy.deepcopy(pair))
        for name, value in told[-1].items():
            assert losses[name].item() == pytest.approx(value, rel=1e-6), f"{name} in step {number + 1}"
    assert told[-1]["source"] < told[0]["source"], "something is learned"
    for mine, theirs in zip(networks, (released.model, released.model_d, released.model_d2), strict=True):
        for (name, own), other in zip(mine.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4, msg=name)
