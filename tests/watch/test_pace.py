"""The time left: of a phase from its own steps, of the run from the quickest steps seen."""

import pytest

from pixda.watch import pace
from pixda.watch.pace import Pace


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)

    def steps(self, timer, index, count, seconds, first=1):
        for done in range(first, first + count):
            self.now += seconds
            timer.step(index, done)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


PHASES = [("pretrain", 100), ("adapt", 50), ("distil", 20)]


def test_a_phase_is_timed_by_its_own_steps_and_the_later_ones_by_the_quickest_seen(clock):
    timer = Pace(PHASES)
    assert timer.left(0, 0) is None
    timer.begin()
    clock.now += 1000  # loading, warming up: no step takes that long again
    clock.steps(timer, 0, 11, 2.0)
    assert timer.left(0, 11) == pytest.approx((89 * 2.0, 89 * 2.0 + 70 * 2.0))
    timer.begin()
    clock.steps(timer, 1, 11, 8.0)
    assert timer.seconds == pytest.approx({"pretrain": 2.0, "adapt": 8.0})
    assert timer.left(1, 11) == pytest.approx((39 * 8.0, 39 * 8.0 + 20 * 2.0))


def test_a_resumed_run_is_timed_from_where_it_goes_on_and_remembers_other_phases(clock):
    timer = Pace(PHASES)
    timer.seconds |= {"pretrain": 2.0, "adapt": 100.0}
    timer.begin()
    clock.steps(timer, 1, 5, 8.0, first=31)
    assert timer.left(1, 35) == pytest.approx((15 * 8.0, 15 * 8.0 + 20 * 2.0))


def test_the_rate_is_that_of_the_last_half_minute(clock):
    timer = Pace(PHASES)
    timer.begin()
    assert timer.rate == ""
    clock.steps(timer, 0, 20, 10.0)
    assert timer.rate == "10 s a step"
    clock.steps(timer, 0, 70, 0.5, first=21)
    assert timer.rate == "2 steps/s"
    assert timer.left(0, 90).here == pytest.approx(10 * (19 * 10 + 70 * 0.5) / 89)
