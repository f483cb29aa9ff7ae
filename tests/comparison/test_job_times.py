"""The time left of a comparison."""

from pathlib import Path

from pixda.comparison.job_times import JobTimes
from pixda.comparison.jobs import Job


def job(row=None, seed=0, words=("train",)):
    path, first = Path(f"{row}{seed}"), None if row is None else job()
    title = f"first stage, seed {seed}" if row is None else f"{row} · 1-shot · seed {seed}"
    return Job(title, None, path, words, path / "scores.json", path / "model.json", first)


def measured(**seconds):
    pace = JobTimes()
    for row, taken in seconds.items():
        for one in taken:
            pace.took(job(row), one)
    return pace


def test_nothing_is_said_before_the_first_is_measured():
    assert JobTimes().left([job("PixDA")], [], 1) is None


def test_each_row_counts_as_its_own_mean():
    pace = measured(joint=[10, 20], PixDA=[100])
    assert pace.left([job("joint", 2), job("PixDA", 1), job("PixDA", 2)], [], 1) == 15 + 100 + 100
    assert pace.left([job("joint", 2), job("PixDA", 1), job("PixDA", 2)], [], 2) == 215 / 2


def test_a_row_without_a_measurement_counts_as_the_mean_of_the_others():
    assert measured(joint=[10, 20], PixDA=[60]).left([job("FDA")], [], 1) == 30


def test_first_stages_and_what_is_only_scored_are_apart():
    pace = measured(joint=[10])
    pace.took(job(), 1000)
    pace.took(job("first stage", words=("evaluate",)), 2)
    assert pace.left([job("FDA")], [], 1) == 10
    assert pace.left([job(seed=1)], [], 1) == 1000
    assert pace.left([job("other stage", words=("evaluate",))], [], 1) == 2


def test_what_is_under_way_counts_for_the_rest_of_it():
    pace = measured(joint=[10], PixDA=[100])
    assert pace.left([], [(job("joint"), 4), (job("PixDA"), 20)], 2) == 80, "not sooner than the longest"
    assert pace.left([], [(job("joint"), 15)], 2) == 0, "late, and nobody knows by how much"
