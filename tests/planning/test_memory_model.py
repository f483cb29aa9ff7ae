"""The memory that is said of a step, beside what a process really takes for it."""

import json
import os
import subprocess
import sys

import pytest
from lightning_fabric import Fabric

from pixda.data.classes import ClassSet
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.planning.memory import FakeDomains, measure

CROP, BATCH = (320, 240), 4

# A step of PixDA's middle phase with real tensors: how much the process grew, in bytes.
STEP = f"""
import json, sys, torch
from lightning_fabric import Fabric
from pixda.data.classes import ClassSet
from pixda.planning.memory import FakeDomains
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.watch.peak import of_process
from pixda.phases.phase import Context

torch.set_num_threads(1)
segmenter = build_segmenter("mobile_deeplab", ClassSet.load("cityscapes-19"), frozen_blocks=0)
segmenter.at_a_time = json.loads(sys.argv[1])
phase = build("pixda", "small").phases()[1]
# What libraries load on their first use is not the step's.
convolve = torch.nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
convolve(torch.zeros(1, 3, 32, 32)).sum().backward()
weights = sum(p.nbytes for p in segmenter.state_dict().values())
before = of_process()
fabric = Fabric(accelerator="cpu", devices=1)
phase.batch = {BATCH}
phase.prepare(Context(fabric, FakeDomains({CROP}, False), segmenter, None), None)
for _ in range(2):
    phase.step(next(phase.batches(0, 0)))
print(weights + of_process() - before)
"""


# A process of more than 800 MB that begins another.
LARGE = """
import subprocess, sys
held = bytearray(800_000_000)
subprocess.run([sys.executable, "-c", "from pixda.watch.peak import of_process; print(of_process())"], check=True)
"""


def test_what_a_process_takes_is_not_what_the_one_that_began_it_does():
    process = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert 50e6 < int(process.stdout) < 700e6


@pytest.mark.slow
def test_a_process_grows_by_what_is_said():
    segmenter = build_segmenter("mobile_deeplab", ClassSet.load("cityscapes-19"), frozen_blocks=0)
    phases = build("pixda", "small").phases()[1:2]
    (said,) = measure(phases, segmenter, Fabric(accelerator="cpu", devices=1), FakeDomains(CROP, False))
    # Freed blocks go back to the system at once: the gaps that the C library else leaves between them are not said.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    for at_a_time in (None, 1):
        command = [sys.executable, "-c", STEP, json.dumps(at_a_time)]
        process = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        grown = int(process.stdout)
        expected = said.of(BATCH, at_a_time)
        print(f"{at_a_time or BATCH} at a time: said {expected / 1e6:.0f} MB, grown by {grown / 1e6:.0f} MB")
        assert abs(grown - expected) < 0.1 * expected + 30e6
