"""What each cell is given of this machine, and the time left of a comparison."""

from pathlib import Path

import pytest

from pixda.comparison.command_line import Resources
from pixda.comparison.jobs import Job
from pixda.comparison.pool import Slot, slots, time_left
from pixda.errors import UserError

FOUR = ["0", "1", "2", "3"]


def place(processors=16, devices=(), **resources):
    return slots(Resources(**resources), processors, devices)


def test_without_gpus_cells_share_the_processors():
    assert place() == [Slot(2)] * 8, "at most eight"
    assert place(processors=3) == [Slot(1)] * 3
    assert place(at_once=3) == [Slot(5)] * 3
    assert place(cpus=6) == [Slot(6)] * 2
    assert place(cpus=32) == [Slot(32)], "one runs all the same"


def test_with_gpus_each_cell_has_one_or_the_share_that_is_asked_for():
    assert place(devices=FOUR) == [Slot(None, [number]) for number in FOUR]
    assert place(devices=["2", "3"], cpus=4) == [Slot(4, ["2"]), Slot(4, ["3"])], "those that are visible"
    assert [slot.gpus for slot in place(at_once=3, devices=["0", "1"])] == [["0"], ["1"], ["0"]]
    assert [slot.gpus for slot in place(gpus=0.5, devices=["0", "1"])] == [["0"], ["1"], ["0"], ["1"]]
    assert [slot.gpus for slot in place(gpus=2, devices=FOUR)] == [["0", "1"], ["2", "3"]]
    assert place(gpus=0, processors=2, devices=FOUR) == [Slot(1, [])] * 2, "none is visible to the cell"


def test_more_gpus_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match="this machine has 1; lower --gpus"):
        place(gpus=2, devices=["0"])


def job(row=None, seed=0, command="train"):
    path, first = Path(f"{row}{seed}"), None if row is None else job()
    title = f"first stage, seed {seed}" if row is None else f"{row} · 1-shot · seed {seed}"
    return Job(title, path, [command], path / "scores.json", path / "model.json", first)


def test_each_row_counts_as_its_own_mean():
    assert time_left([], [job("PixDA")], {}, 1) is None, "nothing is measured yet"
    took = [(job("joint"), 10), (job("joint"), 20), (job("PixDA"), 100)]
    waiting = [job("joint", 2), job("PixDA", 1), job("PixDA", 2)]
    assert time_left(took, waiting, {}, 1) == 15 + 100 + 100
    assert time_left(took, waiting, {}, 2) == 215 / 2


def test_a_row_without_a_measurement_counts_as_the_mean_of_those_with_its_command():
    took = [(job("joint"), 10), (job(), 1000), (job("first stage", command="evaluate"), 2)]
    assert time_left(took, [job("FDA")], {}, 1) == 10
    assert time_left(took, [job(seed=1)], {}, 1) == 1000
    assert time_left(took, [job("other stage", command="evaluate")], {}, 1) == 2
    assert time_left([(job(), 4), (job(), 6)], [job("FDA")], {}, 1) == 5, "of everything, where there are none"


def test_what_is_under_way_counts_for_the_rest_of_it():
    took = [(job("joint"), 10), (job("PixDA"), 100)]
    assert time_left(took, [], {job("joint"): 4, job("PixDA"): 20}, 2) == 80, "not sooner than the longest"
    assert time_left(took, [], {job("joint"): 15}, 2) == 0, "late, and nobody knows by how much"
