"""One whole step of adaptation: three networks, their losses, their optimisers."""

from pathlib import Path

import torch

from benchmarks.part import Forms, Part
from benchmarks.parts.networks import Precision, fabric, plain_network, segmenter
from benchmarks.plain.networks import in_plain_form
from benchmarks.plain.step import PlainStep
from benchmarks.setting import CLASSES, Setting
from pixda.data.domains import StepBatch
from pixda.data.frames import Frame, Frames
from pixda.data.sources import Sources
from pixda.methods import build
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator
from pixda.phases.adversarial import Adversarial
from pixda.phases.phase import Context


class InName:
    """A source of which a phase sees no more than the names."""

    title = "made-up"

    def __init__(self, names: list[str]) -> None:
        self.frames = Frames(Path(), [Frame(name, "all", Path(name), None) for name in names])

    def __len__(self) -> int:
        return len(self.frames)


class Streams:
    """What a phase asks of its streams before its first step."""

    world = 1

    def __init__(self, names: list[str]) -> None:
        self.source_names = names
        self.sources = Sources([InName(names)])  # type: ignore[list-item]


def product_step(
    setting: Setting,
    pair: StepBatch,
    precision: Precision = "32-true",
    recompute: bool = False,
    keep_norms: bool = True,
) -> Adversarial:
    """The phase of the product, ready for :meth:`step`."""
    batch = setting.step_batch
    phase = build("pixda", batch=batch).phases()[1]
    assert isinstance(phase, Adversarial)
    streams = Streams(pair.labelled_source().names)
    network = segmenter(setting).train()
    if setting.device.type == "cuda" and keep_norms:
        network.keep_norms()
    if recompute:
        network.recompute_blocks()
    context = Context(fabric(setting, precision), streams, network, None)  # type: ignore[arg-type]
    torch.manual_seed(1)  # the discriminators' first weights, as in the plain form
    phase.prepare(context, None)
    return phase


def plain_step(setting: Setting) -> PlainStep:
    """The same weights in the plain form."""
    torch.manual_seed(1)
    discriminator, selection = in_plain_form(PixelDiscriminator(CLASSES)), ImageDiscriminator(CLASSES)
    alpha = torch.full((CLASSES,), 0.25, device=setting.device)
    return PlainStep(
        plain_network(setting).train(), discriminator.to(setting.device), selection.to(setting.device), alpha
    )


def _step(setting: Setting, precision: Precision = "32-true", recompute: bool = False) -> Forms:
    pair = setting.pair(setting.step_batch)
    slow, fast = plain_step(setting), product_step(setting, pair, precision, recompute)

    def own() -> StepBatch:
        """A step of the product overwrites its source images."""
        source = pair.labelled_source()
        return pair._replace(source=source._replace(images=source.images.clone()))

    def check() -> str:
        """The losses of the first step, before any weight has moved."""
        exact, values = slow(pair), {name: float(value) for name, value in fast.step(own()).items()}
        off = {name: abs(values[name] / value - 1) for name, value in exact.items()}
        assert max(off.values()) < (1e-3 if precision == "32-true" else 5e-2), off
        if setting.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("error")  # no step may wait for the device
            fast.step(own())
            torch.cuda.set_sync_debug_mode("default")
        return f"{max(off.values()):.0e} of a loss"

    return Forms(lambda: slow(pair), lambda: fast.step(own()), check)


PARTS = [
    Part("step", "the whole step", _step, at_least=1.4),
    Part("step_again", "the same with blocks computed again", lambda setting: _step(setting, recompute=True), 1.4),
    Part("step_bf16", "the whole step in bf16", lambda setting: _step(setting, "bf16-mixed"), cuda_only=True),
]
