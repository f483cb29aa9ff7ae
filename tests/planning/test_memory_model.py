"""The memory that is said of a step, beside what a process really takes for it."""

import json
import subprocess
import sys

import pytest
from lightning_fabric import Fabric

from pixda.data.classes import ClassSet
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.planning.memory import Imagined, measure

CROP, BATCH = (320, 240), 4

# A step of PixDA's middle phase with real tensors: how much the process grew, in bytes.
STEP = f"""
import json, sys, torch
from pathlib import Path
from lightning_fabric import Fabric
from pixda.data.classes import ClassSet
from pixda.planning.memory import Imagined
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.phases.phase import Workplace

torch.set_num_threads(1)
segmenter = build_segmenter("mobile_deeplab", ClassSet.load("cityscapes-19"), frozen_blocks=0)
segmenter.at_a_time = json.loads(sys.argv[1])
phase = build("pixda", "small").phases()[1]
# What libraries load on their first use is not the step's.
convolve = torch.nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
convolve(torch.zeros(1, 3, 32, 32)).sum().backward()
weights = sum(p.nbytes for p in segmenter.state_dict().values())

def most():
    # getrusage would tell those of the process that started this one, where they were more.
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

before = most()
fabric = Fabric(accelerator="cpu", devices=1)
phase.batch = {BATCH}
phase.prepare(Workplace(fabric, Imagined({CROP}, False), segmenter, None), None)
for _ in range(2):
    phase.step(next(phase.batches(0, 0)))
print(weights + most() - before)
"""


@pytest.mark.slow
def test_a_process_grows_by_what_is_said():
    segmenter = build_segmenter("mobile_deeplab", ClassSet.load("cityscapes-19"), frozen_blocks=0)
    phases = build("pixda", "small").phases()[1:2]
    (said,) = measure(phases, segmenter, Fabric(accelerator="cpu", devices=1), Imagined(CROP, False))
    for at_a_time in (None, 1):
        process = subprocess.run(
            [sys.executable, "-c", STEP, json.dumps(at_a_time)], capture_output=True, text=True, check=True
        )
        grown = int(process.stdout)
        expected = said.of(BATCH, at_a_time)
        print(f"{at_a_time or BATCH} at a time: said {expected / 1e6:.0f} MB, grown by {grown / 1e6:.0f} MB")
        assert 0.9 * expected < grown < 1.3 * expected + 50e6
