"""DeepLab-v2: a step, a selection score, a scored frame."""

from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmarks.part import Forms, Part, near_as_a_whole
from benchmarks.plain import metrics as plain
from benchmarks.plain.networks import PlainDeepLab
from benchmarks.setting import CLASSES, Setting
from pixda.evaluation import predict, resized
from pixda.metrics import ConfusionMatrix
from pixda.models import ImageDiscriminator, build_segmenter
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.selection import score
from pixda.style import stylise

Precision = Literal["32-true", "bf16-mixed"]


def segmenter(setting: Setting) -> Segmenter:
    """The same random weights every time, in the layout that training gives them."""
    torch.manual_seed(0)
    made = build_segmenter(setting.network, setting.classes).to(setting.device)
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def plain_network(setting: Setting) -> PlainDeepLab:
    """The same weights in the plain form."""
    torch.manual_seed(0)
    return PlainDeepLab(build_segmenter(setting.network, setting.classes)).to(setting.device)  # type: ignore[arg-type]


def fabric(setting: Setting, precision: Precision = "32-true") -> Fabric:
    """One device."""
    return Fabric(accelerator="cpu" if setting.device.type == "cpu" else "cuda", devices=1, precision=precision)


def _deeplab(setting: Setting) -> Forms:
    images, slow, fast = setting.images(1, 1), plain_network(setting).train(), segmenter(setting).train()
    slope = torch.randn(1, CLASSES, *setting.shape, generator=setting.generator(2)).to(setting.device) * 1e-6

    def run(network: torch.nn.Module) -> Tensor:
        network.zero_grad()
        logits = network(images)[-1] if network is slow else upsample(network(images), setting.shape)
        logits.backward(slope)
        return logits.detach()

    # A hundred layers of batch statistics on random weights: float32 in another order comes to a thousandth.
    return Forms(lambda: run(slow), lambda: run(fast), lambda: near_as_a_whole(run(fast), run(slow), 5e-3))


def _selection(setting: Setting) -> Forms:
    source, target, network = setting.images(1, 1), setting.images(1, 2), segmenter(setting).eval()
    discriminator = ImageDiscriminator(CLASSES).to(setting.device, memory_format=torch.channels_last)

    @torch.no_grad()
    def bare() -> Tensor:
        logits: Tensor = network(source)
        return logits

    @torch.no_grad()
    def scored() -> Tensor:
        maps = upsample(network(stylise(source, target)), setting.shape).softmax(1)
        return score(discriminator(maps))

    return Forms(bare, scored, lambda: f"score {float(scored()):.4f}")


def _validation(setting: Setting) -> Forms:
    width, height = setting.scored
    image = setting.images(1, 1, setting.scored)[0].to(torch.uint8).cpu()
    labels = setting.labels(1, 2, setting.scored).to(torch.uint8)
    slow, fast, one = plain_network(setting).eval(), segmenter(setting).eval(), fabric(setting)

    def of_plain() -> Tensor:
        shown = resized(image, setting.size)[None].float().to(setting.device)
        return torch.from_numpy(plain.frame(slow, shown, labels, CLASSES))

    def of_product() -> Tensor:
        matrix = ConfusionMatrix(setting.classes, setting.device)
        matrix.update(predict(fast, image, setting.size, one), labels[0])
        return matrix.counts

    def check() -> str:
        moved = float((of_product().cpu() - of_plain()).abs().sum()) / 2 / (width * height)
        assert moved < 1e-2, f"{moved:.1%} of the pixels are counted elsewhere"
        return f"{moved:.0e} of the pixels"

    return Forms(of_plain, of_product, check)


PARTS = [
    Part("deeplab", "DeepLab-v2, forward and backward, batch 1", _deeplab),
    Part("selection", "a selection score, against a bare forward pass", _selection, at_most=1.15),
    Part("validation", "validation of a frame of 2048 x 1024", _validation, at_least=1.5),
]
