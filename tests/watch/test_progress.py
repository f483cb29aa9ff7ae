"""What a user reads in a file or a pipe: plain lines, with the time left."""

from pixda.watch import progress
from pixda.watch.progress import Display


def test_counting_says_the_time_left_until_it_is_done(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with Display([], "predict") as display:
        for done in range(4):
            display.count("images", done, 3)
        display.count("images", 0, 2)
        display.count("images", 1, 2)
    assert capsys.readouterr().out.splitlines() == [
        "predict: images 1/3, 20 s left",
        "predict: images 2/3, 10 s left",
        "predict: images 3/3",
        "predict: images 1/2, 10 s left",
    ]


def test_a_file_gets_a_line_now_and_then_with_all_that_is_known(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with Display([("pretrain", 100), ("adapt", 50)], "pixda") as display:
        display.begin(0, 0)
        for done in range(1, 5):
            now += 4
            display.step(0, 0, done, {"source": 0.5} if done == 2 else None)
        display.fact("kept", "3 of 10 source images")
        now += 4
        display.step(0, 1, 100, None)
        display.begin(1, 40)
        now += 4
        display.step(1, 7, 50, {"source": 0.25})
    assert capsys.readouterr().out.splitlines() == [
        "pixda: pretrain: 100 steps, phase 1 of 2",
        "pixda: pretrain 3/100 · epoch 1 · 4 s a step · 6 min left in this phase, at least 10 min in all · source 0.5",
        "pixda: pretrain 100/100 · epoch 2 · 6.19 steps/s · source 0.5 · kept 3 of 10 source images",
        "pixda: adapt: 50 steps, phase 2 of 2, from step 40 on",
        "pixda: adapt 50/50 · epoch 8 · source 0.25 · kept 3 of 10 source images",
    ]


def test_a_run_says_once_and_soon_how_long_it_takes(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with Display([("pretrain", 1000), ("adapt", 500)], "pixda") as display:
        display.begin(0, 0)
        for done in range(1, 31):
            now += 1
            display.step(0, 0, done, None)
    told = [line for line in capsys.readouterr().out.splitlines() if "whole run" in line]
    assert told == ["pixda: about 25 min left for the whole run, if later phases are as quick as this one"]
