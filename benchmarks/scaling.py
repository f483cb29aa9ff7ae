"""How much faster several processes take the same steps than one: python benchmarks/scaling.py --processes 1 2.

Every measurement is a whole `pixda train` in processes of its own, once with few and once with more steps; what the
more steps took beyond the few is their time, so that starting, checking the data and scoring cancel out. The batch is
the same for any number of processes, and so is the result. Rounds alternate between the numbers of processes, so that
a machine that grows slower does so for all. Nothing else may run beside it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH, HEIGHT = 320, 240


def seconds(folder: Path, steps: int, processes: int, given: argparse.Namespace) -> float:
    """Seconds of a run of so many joint steps, from its command to its end."""
    out = Path(tempfile.mkdtemp(dir=folder))
    streets = [
        f"--{side}.streets.{name}" for side in ("source", "target") for name in ("count=16", f"size=[{WIDTH},{HEIGHT}]")
    ]
    options = {
        "method": "joint",
        "preset": "small",
        "source.dataset": "streets",
        "source.root": folder / "world",
        "source.split": "rendered",
        "target.dataset": "streets",
        "target.root": folder / "world",
        "target.split": "camera-train",
        "target.test_split": "camera-val",
        "size": f"[{WIDTH},{HEIGHT}]",
        "network.architecture": given.network,
        "network.options": given.options,
        "recipe.batch": given.batch,
        "recipe.crop": "null",
        "recipe.pretrain_steps": 1,
        "recipe.joint_steps": steps,
        "machine.accelerator": given.accelerator,
        "machine.devices": processes,
        "machine.workers": given.workers,
        "checkpoint_every": 10**6,
        "out": out / "run",
    }
    if given.accelerator == "cpu":
        options["machine.threads"] = given.threads
    command = [
        sys.executable,
        "-m",
        "pixda",
        "train",
        *(f"--{name}={value}" for name, value in options.items()),
        *streets,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a line for each number of processes and the same as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=4, help="images a step, of all processes together")
    parser.add_argument("--steps", type=int, nargs=2, default=[5, 25], help="few and more steps of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accelerator", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of each process, on a CPU")
    parser.add_argument("--workers", type=int, default=0, help="loader processes of each stream and process")
    parser.add_argument("--network", default="mobile_deeplab")
    parser.add_argument("--options", default="{frozen_blocks: 0, frozen_statistics: false}", help="of the network")
    given = parser.parse_args()
    few, more = given.steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds(folder, few, 1, given)  # renders the streets
        steps: dict[int, list[float]] = {processes: [] for processes in given.processes}
        for _ in range(given.rounds):
            for processes, found in steps.items():
                both = [seconds(folder, count, processes, given) for count in (few, more)]
                found.append((both[1] - both[0]) / (more - few))
    medians = {processes: statistics.median(found) for processes, found in steps.items()}
    first = min(medians)
    for processes, step in medians.items():
        efficiency = medians[first] * first / (step * processes)
        print(f"{processes} processes: {step:.3f} s a step of {given.batch} + {given.batch} images, "
              f"{steps[processes]} s in the rounds, efficiency {efficiency:.0%}")  # fmt: skip
    print(json.dumps({"arguments": vars(given), "seconds_a_step": steps}))


if __name__ == "__main__":
    main()
