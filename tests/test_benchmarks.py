"""The two forms of every part that is timed compute the same: checked here on small maps, before any timing."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ceilings import Ceilings
from benchmarks.measuring import measure
from benchmarks.parts import PARTS
from benchmarks.report import row
from benchmarks.setting import Setting

SMALL = Setting(
    torch.device("cpu"),
    size=(96, 64),
    batch=2,
    discriminators_batch=1,
    scored=(192, 128),
    stored=(190, 105),
    network="deeplab_resnet50",
)


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if not part.cuda_only])
def test_both_forms_agree(name):
    assert PARTS[name].make(SMALL).check()


def test_a_part_is_timed_in_turns_and_told_in_a_line():
    found = measure(PARTS["rarity"], SMALL, seconds=0)
    assert found.runs == 3
    assert found.ratio > 0
    assert found.product > 0
    line = row(found, Ceilings(1.0, 1.0, 1.0, 1.0))
    assert line.startswith("| rarity map B |")
    assert line.count("|") == 9
