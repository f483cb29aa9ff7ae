"""Peak memory of one form of the whole step, in a process of its own: ``python -m benchmarks.memory FORM …``."""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import dataclass

import torch

from benchmarks.parts.step import plain_step, product_step
from benchmarks.setting import Setting

FORMS = ("plain", "product")


@dataclass(frozen=True)
class Peaks:
    """GiB, of the whole process on a CPU, of torch's tensors on a GPU."""

    plain: float
    product: float


def peaks(setting: Setting, threads: int) -> Peaks:
    """Two steps of each form in a child each: the second one holds the optimisers' state as well."""
    values = []
    for form in FORMS:
        command = [sys.executable, "-m", "benchmarks.memory", form, str(setting.device), str(threads)]
        command += [str(number) for number in setting.size]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        values.append(json.loads(done.stdout.splitlines()[-1]))
    return Peaks(*values)


def main() -> None:
    """Take two steps and print the peak in GiB."""
    parser = argparse.ArgumentParser()
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("device", type=torch.device)
    parser.add_argument("threads", type=int)
    parser.add_argument("size", type=int, nargs=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    setting = Setting(given.device, size=tuple(given.size))
    pair = setting.pair(1)
    step = plain_step(setting) if given.form == "plain" else product_step(setting, pair).step
    for _ in range(2):
        step(pair)
    if given.device.type == "cuda":
        print(torch.cuda.max_memory_allocated(given.device) / 2**30)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


if __name__ == "__main__":
    main()
