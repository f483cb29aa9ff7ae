"""``python -m benchmarks``: the parts and the whole step, plain and as in the product. ``make bench`` runs it."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import memory, report, start
from benchmarks.ceilings import measure as measure_ceilings
from benchmarks.measuring import Measured, measure
from benchmarks.parts import PARTS
from benchmarks.setting import Setting

RESULTS = Path(__file__).parents[1] / "docs" / "results"
TRIALS = Path(__file__).parents[1] / "build" / "benchmarks"


def main() -> None:
    """Measure, print as it goes, and keep what is there after every part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--parts", default="", help=f"some of {','.join(PARTS)}; all if left out")
    parser.add_argument("--quick", action="store_true", help="a quarter of the pixels, under two minutes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="page to write; by default docs/results/ for a whole run, else build/")
    given = parser.parse_args()
    names = given.parts.split(",") if given.parts else list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    device = torch.device(given.device)
    names = [name for name in names if device.type == "cuda" or not PARTS[name].cuda_only]
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device is visible here")
    torch.set_num_threads(given.threads)
    setting = Setting(device, step_batch=1 if device.type == "cpu" else 4)
    if given.quick:
        setting = replace(setting, size=(512, 256), batch=2, discriminators_batch=1, scored=(1024, 512))
    whole = not given.quick and not given.parts
    page = given.out or (RESULTS if whole else TRIALS) / f"performance{'' if device.type == 'cpu' else '_cuda'}.md"

    began = time.perf_counter()
    machine = report.describe(setting, given.quick)
    ceilings = measure_ceilings(device)
    print(f"{machine['device']}, {given.threads} threads; ceilings: {ceilings}", flush=True)
    measured: dict[str, Measured] = {}
    for name in names:
        measured[name] = measure(PARTS[name], setting, seconds=1 if given.quick else 10)
        report.write(page, machine, ceilings, measured, None)
        one = measured[name]
        print(
            f"{time.perf_counter() - began:5.0f} s  {one.title}: {one.plain * 1e3:.1f} -> {one.product * 1e3:.1f} ms, "
            f"x {one.ratio:.2f} (processor x {one.processor_ratio:.2f}), {one.goal or 'no goal'}, {one.agreement}",
            flush=True,
        )
    if "step" in names:
        peaks = memory.peaks(setting, given.threads)
        report.write(page, machine, ceilings, measured, peaks)
        print(f"{time.perf_counter() - began:5.0f} s  the whole step: {peaks}", flush=True)
        starts = start.seconds()
        report.write(page, machine, ceilings, measured, peaks, starts)
        print(f"{time.perf_counter() - began:5.0f} s  from pixda train to the first step: {starts}", flush=True)
    print(f"written: {page} and {page.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
