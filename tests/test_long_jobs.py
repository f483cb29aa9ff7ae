"""docs/long_jobs.md says what its script calculates."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def printed(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import long_jobs

    def of(*words):
        monkeypatch.setattr(sys, "argv", ["long_jobs.py", *words])
        long_jobs.main()
        return capsys.readouterr().out

    return of


def test_the_tables_are_those_of_the_script(printed):
    page = (ROOT / "docs/long_jobs.md").read_text()
    tables = [block for block in printed().strip().split("\n\n") if block]
    assert len(tables) == 9
    assert not [block for block in tables if block not in page], "run benchmarks/long_jobs.py and put its output there"


@pytest.mark.slow
def test_measured_seconds_take_the_place_of_estimates(printed):
    rows = [
        line for line in printed("--step", "h100.adapt=0.36", "--decode", "0.02").splitlines() if "one H100 |" in line
    ]
    (adapt,) = [row for row in rows if "| adapt |" in row]
    assert "0.360 (measured) | 3.000 |" in adapt, "30000 steps"
    (score,) = [row for row in rows if "| score |" in row]
    assert "| 0.001 |" in score, "one item, 0.02 s, 16 cores"
