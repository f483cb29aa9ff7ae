"""What a user reads in a file or a pipe: plain lines, with the time left."""

from pixda import progress
from pixda.progress import Display


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
