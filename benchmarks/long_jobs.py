"""What PixDA's full run from GTA5 to Cityscapes takes on three machines: ``python benchmarks/long_jobs.py``.

Prints the tables of docs/long_jobs.md, where the formulae stand. Work, bytes and parameters are counted on networks
without memory (PyTorch's meta device); what only a GPU can tell is estimated, until it is given as an argument:
``--step h100.adapt=0.11`` are measured seconds of a step, ``--decode 0.02`` those of decoding one item.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pixda.comparison.grid import Grid, Row, plan
from pixda.data.classes import ClassSet
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator

GIB, TERA, HOUR = 2**30, 1e12, 3600
WIDTH, HEIGHT = 1024, 512
SOURCE, SCORED = 24966, 500  # frames of GTA5; of Cityscapes' validation split
SOURCE_BYTES, TARGET_BYTES = 2.31e6, 2.47e6  # image and mask: mean of 4 and of 6 genuine frames
DECODE = 0.073  # seconds of a core for one item from its PNG files: measured in docs/results/performance.md
PHASES = ("pretrain", "adapt", "select", "distil", "score")
GRID = Path(__file__).parents[1] / "src/pixda/configs/compare/gta5_to_cityscapes.yaml"


@dataclass(frozen=True)
class Machine:
    """A machine, and what of it is assumed to be used."""

    name: str
    key: str
    gpus: int
    peak: float  # FLOP/s of a GPU: dense bfloat16, sums in float32; from its data sheet
    used: float  # share of the peak that the whole step reaches: the assumption that all GPU times rest on
    memory: float  # bytes of a GPU
    cores: int  # that decode, for each GPU
    link: float = math.inf  # bytes/s that the slowest link of the ring of all GPUs carries


MACHINES = (
    Machine("one 12 GB card", "card", 1, 25e12, 0.4, 12e9, 4),
    Machine("one H100", "h100", 1, 989e12, 0.28, 80e9, 16),
    Machine("4 × 8 H100", "cluster", 32, 989e12, 0.28, 80e9, 12, 12.5e9),
)


@dataclass(frozen=True)
class Work:
    """What is counted of a network, for one image or one map."""

    forward: int  # FLOP, two for a product with its sum
    step: int  # FLOP of forward and backward, for its own parameters
    frozen: int  # FLOP of forward and backward, for its input alone
    kept: int  # bytes that the backward pass needs, in float32
    frozen_kept: int  # the same for its input alone
    parameters: int
    buffers: int


def count(make: Callable[[], nn.Module], channels: int) -> Work:
    """Count a network on one input of the run's size."""
    with torch.device("meta"):
        network, given = make(), torch.zeros(1, channels, HEIGHT, WIDTH)
        parameters = list(network.parameters())
        forward = flops(lambda: network(given))
        step, kept = flops(lambda: network(given).sum().backward()), saved(network, given)
        for parameter in parameters:
            parameter.requires_grad_(False)
        given.requires_grad_(True)
        frozen, frozen_kept = flops(lambda: network(given).sum().backward()), saved(network, given)
    buffers = sum(buffer.numel() for buffer in network.buffers())
    return Work(forward, step, frozen, kept, frozen_kept, sum(p.numel() for p in parameters), buffers)


def flops(do: Callable[[], object]) -> int:
    """Floating-point operations of what is done."""
    with FlopCounterMode(display=False) as counter:
        do()
    return int(counter.get_total_flops())


def saved(network: nn.Module, given: Tensor) -> int:
    """Bytes that a forward pass keeps for its backward pass, beside the parameters."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(given)
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)


@dataclass(frozen=True)
class Phase:
    """A phase of the method on one GPU of ``gpus``, which share the paper's number of images."""

    name: str
    steps: int
    flop: float  # of a step
    items: int  # read in a step


def phases(segmenter: Work, pixel: Work, image: Work, gpus: int) -> list[Phase]:
    """The run as a list: the method's three phases, the selections between its epochs, the scoring."""
    method = build("pixda", "paper")
    b = method.batch
    adapt = 2 * b * segmenter.step + b * pixel.frozen + 2 * b * (pixel.step + image.step)
    selections = method.adaptation_steps * b // SOURCE  # at most: what a selection drops is not scored again
    scored = selections * math.ceil(SOURCE / b / gpus)
    return [
        Phase("pretrain", math.ceil(method.pretrain_steps / gpus), b * segmenter.step, b),
        Phase("adapt", math.ceil(method.adaptation_steps / gpus), adapt, 2 * b),
        Phase("select", scored, b * (segmenter.forward + image.forward), 2 * b),
        Phase("distil", math.ceil(method.distillation.steps / gpus), b * (segmenter.step + segmenter.forward), b),
        Phase("score", math.ceil(SCORED / gpus), segmenter.forward, 1),
    ]


def step_seconds(machine: Machine, phase: Phase, decode: float, exchanged: float) -> dict[str, float]:
    """What a step waits for, were everything else free."""
    learns = phase.name in ("pretrain", "adapt", "distil")
    ring = 2 * (machine.gpus - 1) / machine.gpus
    return {
        "arithmetic": phase.flop / (machine.peak * machine.used),
        "decoding": phase.items * decode / machine.cores,
        "network": ring * exchanged / machine.link if learns else 0.0,
    }


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print it as Markdown."""
    for cells in (heads, ["---"] * len(heads), *rows):
        print("|", " | ".join(cells), "|")
    print()


def main() -> None:
    """Count, calculate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="append", default=[], metavar="MACHINE.PHASE=S", help="measured seconds")
    parser.add_argument("--decode", type=float, help=f"measured seconds of a core for one item; default {DECODE}")
    given = parser.parse_args()
    measured = {key: float(value) for key, value in (one.split("=") for one in given.step)}
    if unknown := [key for key in measured if key not in {f"{m.key}.{p}" for m in MACHINES for p in PHASES}]:
        parser.error(f"{unknown[0]} is no MACHINE.PHASE of {', '.join(m.key for m in MACHINES)}; {', '.join(PHASES)}")
    classes = ClassSet.load("cityscapes-19")
    segmenter = count(lambda: build_segmenter("deeplab_resnet101", classes), 3)
    pixel, image = (
        count(lambda c=c: c(len(classes.names)), len(classes.names)) for c in (PixelDiscriminator, ImageDiscriminator)
    )
    inputs(segmenter, pixel, image, given.decode)
    times(segmenter, pixel, image, given.decode or DECODE, measured)
    memory(segmenter, pixel, image)
    disk(segmenter, pixel, image)


def inputs(segmenter: Work, pixel: Work, image: Work, decode: float | None) -> None:
    """What the tables rest on."""
    rows = []
    for letter, name, work in (
        ("s", "segmenter", segmenter),
        ("p", "pixel discriminator", pixel),
        ("g", "image discriminator", image),
    ):
        rows += [
            [f"{letter}_f", f"{name}, forward", f"{work.forward / TERA:.3f} TFLOP", "counted"],
            [letter, f"{name}, forward and backward", f"{work.step / TERA:.3f} TFLOP", "counted"],
            [f"P_{letter}", f"{name}, parameters", f"{work.parameters / 1e6:.3f} million", "counted"],
        ]
    rows += [
        ["p_j", "frozen pixel discriminator, backward to its input", f"{pixel.frozen / TERA:.3f} TFLOP", "counted"],
        ["A", "kept for the segmenter's backward pass, float32", f"{segmenter.kept / GIB:.2f} GiB", "counted"],
        ["A_j", "kept by it", f"{pixel.frozen_kept / GIB:.2f} GiB", "counted"],
        ["A_p", "kept for the pixel discriminator's backward pass", f"{pixel.kept / GIB:.2f} GiB", "counted"],
        ["N", "frames of GTA5", f"{SOURCE}", "published"],
        ["V", "frames that are scored", f"{SCORED}", "published"],
        ["", "GTA5 frame with its mask", f"{SOURCE_BYTES / 1e6:.2f} MB", "measured on 4 genuine frames"],
        ["", "Cityscapes frame with its mask", f"{TARGET_BYTES / 1e6:.2f} MB", "measured on 6 genuine frames"],
        ["", "the same as uint8, image and mask", f"{WIDTH * HEIGHT * 4 / 2**20:.0f} MiB", "counted"],
        [
            "d",
            "decoding one item, one core",
            f"{decode or DECODE:g} s",
            "measured" if decode else "measured on one CPU",
        ],
    ]
    for machine in MACHINES:
        rows.append(["R", f"{machine.name}: dense bfloat16 of a GPU", f"{machine.peak / TERA:g} TFLOP/s", "data sheet"])
        rows.append(["u", f"{machine.name}: share of it that is reached", f"{machine.used:g}", "estimated"])
        rows.append(["w", f"{machine.name}: cores that decode, for each GPU", f"{machine.cores}", "assumed"])
    rows.append(["W", f"{MACHINES[-1].name}: slowest link", f"{MACHINES[-1].link / 1e9:g} GB/s", "assumed"])
    print("**Inputs**, at 1024 × 512, for one image or map\n")
    table(["", "what", "value", "how it is known"], rows)


def times(segmenter: Work, pixel: Work, image: Work, decode: float, measured: dict[str, float]) -> None:
    """Steps, seconds of a step, hours, and what the step waits for."""
    exchanged = 4 * segmenter.parameters
    rows, hours = [], {}
    for machine in MACHINES:
        total = 0.0
        for phase in phases(segmenter, pixel, image, machine.gpus):
            discriminators = 4 * (pixel.parameters + image.parameters) if phase.name == "adapt" else 0
            waits = step_seconds(machine, phase, decode, exchanged + discriminators)
            seconds, limit = max((value, name) for name, value in waits.items())
            known = measured.get(f"{machine.key}.{phase.name}")
            each = [f"{value:.3f}" for value in waits.values()]
            step = f"{seconds:.3f}" if known is None else f"{known:.3f} (measured)"
            total += phase.steps * (seconds if known is None else known) / HOUR
            taken = f"{phase.steps * (known or seconds) / HOUR:.3f}"
            rows.append([machine.name, phase.name, f"{phase.steps}", *each, step, taken, limit if not known else ""])
        hours[machine.name] = total
        rows.append([machine.name, "**all**", "", "", "", "", "", f"**{total:.2f}**", ""])
    print("**Time** of one run; a step waits for the slowest of the three, in seconds\n")
    table(["machine", "phase", "steps", "arithmetic", "decoding", "network", "step", "hours", "limit"], rows)
    values = yaml.safe_load(GRID.read_text())
    grid = Grid(**(values | {"rows": {label: Row(**row) for label, row in values["rows"].items()}}))
    cells = sum(len(one.run.training.recipe.phases()) > 1 for one in plan(grid))
    card, alone = (cells * hours[name] / 24 for name in ("one 12 GB card", "one H100"))
    print(
        f"The grid of `{GRID.name}` has {cells} cells that train. Were each as long as a whole run of PixDA, it would "
        f"take {card:.0f} days on one 12 GB card, {alone:.1f} days on one H100, and "
        f"{math.ceil(cells / 32) * hours['one H100']:.1f} hours on 32, a cell each.\n"
    )


def memory(segmenter: Work, pixel: Work, image: Work) -> None:
    """The peak of adaptation on a GPU."""
    b = build("pixda", "paper").batch
    maps = 3 * len(ClassSet.load("cityscapes-19").names) * WIDTH * HEIGHT * 4
    static = 4 * (3 * segmenter.parameters + segmenter.buffers + 4 * (pixel.parameters + image.parameters))
    rows = []
    for name, share in (("float32", 1.0), ("bfloat16", 0.5)):
        target = b * (share * (segmenter.kept + pixel.frozen_kept) + maps)
        discriminator = 2 * b * share * pixel.kept
        peak = static + max(target, discriminator)
        fits = ", ".join(machine.name for machine in MACHINES if peak * 1.1 < machine.memory) or "none"
        rows.append([name, *(f"{value / GIB:.1f}" for value in (static, target, discriminator, peak)), fits])
    print("**Memory** of adaptation in GiB\n")
    table(["precision", "static", "target pass", "discriminator's pass", "peak", "fits, with 10 % to spare"], rows)


def disk(segmenter: Work, pixel: Work, image: Work) -> None:
    """What lies on the disk, and what crosses the network."""
    method = build("pixda", "paper")
    adapt = 4 * (2 * segmenter.parameters + segmenter.buffers + 3 * (pixel.parameters + image.parameters))
    distil = 4 * (3 * segmenter.parameters + 2 * segmenter.buffers)
    model = 4 * (segmenter.parameters + segmenter.buffers)
    # One in 500 steps, and the last of a phase.
    pretrain = 4 * (2 * segmenter.parameters + segmenter.buffers)
    kept = (method.pretrain_steps * pretrain + method.adaptation_steps * adapt) / 500 + distil
    read = (method.pretrain_steps + method.adaptation_steps) * method.batch * SOURCE_BYTES
    ring = 2 * (1 - 1 / 32) * 4 * segmenter.parameters
    steps = (method.pretrain_steps + method.adaptation_steps + method.distillation.steps) / 32
    rows = [
        ["GTA5", f"{SOURCE * SOURCE_BYTES / 1e9:.0f} GB"],
        ["Cityscapes, training and validation", f"{(2975 + SCORED) * TARGET_BYTES / 1e9:.1f} GB"],
        ["GTA5 as uint8 items of 1024 × 512", f"{SOURCE * WIDTH * HEIGHT * 4 / 1e9:.0f} GB"],
        ["checkpoint in adaptation; in distillation", f"{adapt / 1e6:.0f} MB; {distil / 1e6:.0f} MB"],
        ["final model", f"{model / 1e6:.0f} MB"],
        ["read of GTA5 in a run, if nothing stays in memory", f"{read / 1e9:.0f} GB"],
        ["gradients sent by each of 32 GPUs, a step; a run", f"{ring / 1e6:.0f} MB; {ring * steps / 1e9:.0f} GB"],
        ["checkpoints written in a run, over the network where the disk is shared", f"{kept / 1e9:.0f} GB"],
    ]
    print("**Disk and network**\n")
    table(["what", "bytes"], rows)


if __name__ == "__main__":
    main()
