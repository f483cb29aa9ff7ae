"""What a user meets first: help at once, mistakes as one line."""

import os
import signal
import subprocess
import sys

import pytest

from pixda.__main__ import main
from runs import refused, two_domains, words

COMMANDS = ("", "train", "evaluate", "demo", "check", "shots", "validate", "suggest", "predict", "export", "report")


def test_help_does_not_wait_for_torch():
    """Half a second is the limit users feel; importing torch alone takes longer."""
    typed = [[*name.split(), "--help"] for name in COMMANDS] + [["train", "--method=joint", "-h"]]
    code = f"""
import sys
from pixda.__main__ import main
for typed in {typed!r}:
    try:
        main(typed)
    except SystemExit as end:
        assert not end.code
    assert "torch" not in sys.modules, typed
    print("end of help")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *shown, rest = done.stdout.split("end of help\n")
    assert (len(shown), rest) == (len(typed), "")
    assert all("usage" in one or "commands:" in one for one in shown)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["train", "--config=nowhere.yaml"], "nowhere.yaml"),
        (["train", "--source.dataset=gta5", "--source.root=x", "--target.dataset=camvid", "--target.root=y"], "--out"),
        (["evaluate", "--model=nowhere", "--data.dataset=camvid", "--data.root=x"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(typed, said, capsys):
    assert said in refused(typed, capsys)


def test_a_wrong_root_is_found_before_any_training(tmp_path, capsys):
    given = words(two_domains(tmp_path), tmp_path / "run", "--source.dataset=gta5", "--source.split=train")
    assert main(given) == 1
    assert "images/00001.png" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_nobody_foresaw_is_one_line_too_and_a_traceback_with_debug(tmp_path, capsys):
    """Here: torch's own refusal of a rate below zero."""
    given = words(two_domains(tmp_path), tmp_path / "run", "--recipe.segmenter.lr=-1")
    message = refused(given, capsys)
    assert "learning rate" in message
    assert "--debug" in message
    with pytest.raises(ValueError, match="learning rate"):
        main([*given, "--debug"])


def test_a_wrong_target_is_found_before_the_source_is_rendered(tmp_path, capsys):
    typed = ["train", "--source.dataset=streets", f"--source.root={tmp_path / 'world'}", "--source.split=rendered"]
    typed += ["--target.dataset=camvid", f"--target.root={tmp_path / 'nowhere'}", f"--out={tmp_path / 'run'}"]
    assert main([*typed, "--network.architecture=tiny"]) == 1
    assert str(tmp_path / "nowhere") in capsys.readouterr().err
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize("typed", [["--help"], ["configs"]])
def test_a_reader_that_has_seen_enough_ends_a_command_silently(typed):
    """pixda configs | head -1, with a pipe that is closed before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "pixda", *typed], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
