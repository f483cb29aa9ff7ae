"""What each cell is given of this machine."""

import pytest

from pixda.comparison.local import Slot, slots
from pixda.comparison.where import Where
from pixda.errors import UserError

FOUR = ["0", "1", "2", "3"]


def place(at_once=None, cpus=None, gpus=None, processors=16, devices=()):
    return slots(at_once, cpus, gpus, processors, devices)


def test_without_gpus_cells_share_the_processors():
    assert place() == [Slot(2)] * 8, "at most eight"
    assert place(processors=3) == [Slot(1)] * 3
    assert place(at_once=3) == [Slot(5)] * 3
    assert place(cpus=6) == [Slot(6)] * 2
    assert place(cpus=32) == [Slot(32)], "one runs all the same"


def test_with_gpus_each_cell_has_one():
    assert place(devices=FOUR) == [Slot(None, [number]) for number in FOUR]
    assert place(devices=["2", "3"], cpus=4) == [Slot(4, ["2"]), Slot(4, ["3"])], "those that are visible"
    assert [slot.gpus for slot in place(at_once=3, devices=["0", "1"])] == [["0"], ["1"], ["0"]]


def test_a_share_of_the_gpus():
    assert [slot.gpus for slot in place(gpus=0.5, devices=["0", "1"])] == [["0"], ["1"], ["0"], ["1"]]
    assert [slot.gpus for slot in place(gpus=2, devices=FOUR)] == [["0", "1"], ["2", "3"]]
    assert place(gpus=0, processors=2, devices=FOUR) == [Slot(1, [])] * 2, "none is visible to the cell"


def test_more_gpus_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match="this machine has 1; lower --gpus"):
        place(gpus=2, devices=["0"])


@pytest.mark.parametrize("given", [{"at_once": 0}, {"cpus": 0}, {"gpus": -1}, {"gpus": 1.5}])
def test_numbers_that_mean_nothing_are_refused(given):
    with pytest.raises(UserError, match=f"--{next(iter(given))} is"):
        Where(**given)
