"""How the cost of a step grows with what goes into it: ``python -m benchmarks.growth``.

Steps of PixDA's adaptation with the small network, against the pixels of an image, the images of a batch and the
classes; drawing an epoch's order against the frames of the source. A fitted exponent of 1 means: twice as much, twice
as long. Time is processor time, memory the peak of a process of its own. Writes docs/images/growth.png.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from lightning_fabric import Fabric

from benchmarks.parts.step import InName, Streams
from pixda.data.classes import ClassSet
from pixda.data.domains import Batch, Domains, StepBatch
from pixda.machine.devices import hold_memory
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.phases.adversarial import Adversarial
from pixda.phases.phase import Context
from pixda.watch.peak import of_process

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "growth.png"
BASE = {"side": 128, "batch": 1, "classes": 19}
RUNS: dict[str, Sequence[int]] = {
    "pixels of an image": (128, 192, 256, 384, 512),  # sides of a square
    "images of a batch": (1, 2, 4, 8),
    "classes": (5, 10, 19, 38, 76),
    "frames of the source": (1000, 4000, 16000, 64000),
}


def step(side: int, batch: int, classes: int) -> Callable[[], object]:
    """A step of adaptation on square images."""
    torch.manual_seed(0)
    names = tuple(f"class {number}" for number in range(classes))
    ids = {"own": {number: number for number in range(classes)}}
    colours = tuple((number, 0, 0) for number in range(classes))
    own = ClassSet(name="own", names=names, colours=colours, protocols={"all": tuple(range(classes))}, raw_ids=ids)
    images = torch.rand(2, batch, 3, side, side) * 255
    masks = torch.randint(0, classes, (2, batch, side, side))
    labels = [[f"{domain}{number}" for number in range(batch)] for domain in "st"]
    pair = StepBatch(*(Batch(*one) for one in zip(images, masks, labels, strict=True)))
    phase = build("pixda", batch=batch).phases()[1]
    assert isinstance(phase, Adversarial)
    segmenter = build_segmenter("mobile_deeplab", own)
    context = Context(Fabric(accelerator="cpu", devices=1), Streams(labels[0]), segmenter, None)  # type: ignore[arg-type]
    phase.prepare(context, None)
    return lambda: phase.step(pair)


def order(frames: int) -> Callable[[], object]:
    """Deciding what an epoch over so many frames draws."""
    source, target = InName([f"s{number}" for number in range(frames)]), InName(["t"])
    domains = Domains(source, target, seed=0, device=torch.device("cpu"))  # type: ignore[arg-type]
    return lambda: domains._pass_over(domains.source_names, 4, "adapt", 0)


def measured(what: str, value: int) -> tuple[float, float]:
    """Seconds of one run, the least of three, and the peak in GiB."""
    hold_memory()  # as in a run
    changed = {"pixels of an image": "side", "images of a batch": "batch", "classes": "classes"}
    run = order(value) if what not in changed else step(**BASE | {changed[what]: value})
    run()
    times = []
    for _ in range(3):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times), (of_process() or math.nan) / 2**30


def in_a_child(what: str, value: int) -> tuple[float, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", what, str(value)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Slope of the cost over the size, both as logarithms, of the larger half: where the constant part is small."""
    half = len(sizes) // 2
    slope: float = np.polyfit(np.log(sizes[half - 1 :]), np.log(costs[half - 1 :]), 1)[0]
    return slope


def main() -> None:
    """Measure everything, print the exponents and draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "VALUE"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.one:
        print(json.dumps(measured(given.one[0], int(given.one[1]))))
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, axes = plt.subplots(1, len(RUNS), figsize=(14, 3.2), layout="constrained")
    for axis, (what, values) in zip(axes, RUNS.items(), strict=True):
        costs = [in_a_child(what, value) for value in values]
        sizes = [float(value**2 if what.startswith("pixels") else value) for value in values]
        times, peaks = zip(*costs, strict=True)
        empty = min(peaks)  # libraries, and what a step of the smallest kind takes
        grown = [(size, peak - empty) for size, peak in zip(sizes, peaks, strict=True) if peak > empty]
        title = f"{what}\ntime ~ size^{exponent(sizes, times):.2f}"
        if len(grown) > 2 and not math.isclose(grown[-1][1], 0, abs_tol=0.05):
            slope = np.polyfit(sizes, peaks, 1)[0] * (sizes[-1] - sizes[0])
            title += f", memory + {slope:.2f} GiB"
        print(title.replace("\n", ": "), dict(zip(values, costs, strict=True)), flush=True)
        axis.loglog(sizes, times, "o-", label="seconds")
        axis.loglog(sizes, peaks, "s--", label="GiB at the peak")
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter(NullFormatter())  # its labels would lie over one another
        axis.set_xticks(sizes, [f"{value}²" if what.startswith("pixels") else str(value) for value in values])
        axis.set_title(title, fontsize=9)
        axis.legend(fontsize=7)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.out, dpi=70)
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
