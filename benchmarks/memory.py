"""Peak memory and time of the whole step in each way to take it, in a process of its own."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.measuring import timed
from benchmarks.parts.step import plain_step, product_step
from benchmarks.setting import Setting
from pixda.data.domains import StepBatch
from pixda.machine.devices import hold_memory
from pixda.watch.peak import of_process

WAYS = {
    "plain": "plain",
    "product": "product",
    "blocks again": "product, `--machine.recompute_blocks true`",
    "not held": "product, `--machine.hold_memory false`",
    "blocks again, not held": "product, with both",
}


@dataclass(frozen=True)
class Peak:
    """Of one way to take the step."""

    gib: float
    """Of the whole process on a CPU, of torch's tensors on a GPU."""
    seconds: float
    """Of its second step."""


def peaks(setting: Setting, threads: int) -> dict[str, Peak]:
    """Two steps in each way in a process of its own: the second one holds the optimisers' state as well."""
    found = {}
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.memory", way, json.dumps(setting.as_json()), str(threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way] = Peak(**json.loads(done.stdout.splitlines()[-1]))
    return found


def main() -> None:
    """Take two steps and print the peak in GiB."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("setting", type=json.loads)
    parser.add_argument("threads", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    setting = Setting.from_json(given.setting)
    if given.way in ("product", "blocks again"):
        hold_memory()
    pair = setting.pair(setting.step_batch)
    if given.way == "plain":
        step: Callable[[StepBatch], object] = plain_step(setting)
    else:
        step = product_step(setting, pair, recompute=given.way.startswith("blocks again")).step
    step(pair)
    seconds, _ = timed(lambda: step(pair), setting)
    if setting.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(setting.device) / 2**30
    else:
        peak = (of_process() or math.nan) / 2**30
    print(json.dumps({"gib": peak, "seconds": seconds}))


if __name__ == "__main__":
    main()
