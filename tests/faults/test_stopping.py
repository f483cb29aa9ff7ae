"""SIGTERM and Ctrl-C: the run is saved, says so, and prints the command that goes on."""

import os
import shlex
import signal
import subprocess
import sys
import time

from injuries import stopped
from pixda.__main__ import main
from runs import start, two_domains, wait_for, words

SHORT = "--recipe.more_steps=0"


def test_the_printed_command_can_be_pasted_into_a_shell_and_goes_on(unbroken, tmp_path):
    root, whole = unbroken
    out = tmp_path / "a folder's name"
    process = start(root, out, SHORT, method="source_only")
    wait_for(process, out / "logs/pretrain.csv", 4)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    *_, said, command = text.strip().splitlines()
    assert "Stopped by SIGINT, and saved at step" in said
    assert shlex.split(command)[:3] == [sys.executable, "-m", "pixda"]
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_sigterm_to_the_whole_group_of_processes_is_a_stop_and_not_the_death_of_a_loader(unbroken, tmp_path):
    """What a batch system does: loader processes are ended by the same signal, and first."""
    root, whole = unbroken
    out = tmp_path / "run"
    command = [sys.executable, "-m", "pixda", *words(root, out, SHORT, "--machine.workers=2", method="source_only")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(process, out / "logs/pretrain.csv", 4)
    os.killpg(process.pid, signal.SIGTERM)
    _, text = process.communicate(timeout=120)
    assert "Stopped by SIGTERM, and saved at step" in text, text
    assert "Traceback" not in text
    assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_resume_is_added_once_and_overrides_what_was_given(unbroken, tmp_path, capsys):
    root, _ = unbroken
    out = tmp_path / "run"
    stopped(words(root, out, SHORT, "--resume", "false", method="source_only"), out / "logs/pretrain.csv", 4)
    command = capsys.readouterr().err.strip().splitlines()[-1]
    assert command.endswith("--resume false --resume true")
    stopped(words(root, out, SHORT, "--resume=true", method="source_only"), out / "logs/pretrain.csv", 8)
    command = capsys.readouterr().err.strip().splitlines()[-1]
    assert command.count("--resume") == 1


def test_ctrl_c_in_the_middle_of_a_selection_does_not_wait_for_its_end(tmp_path, capsys):
    """Thousands of images take an hour; whoever asks has seconds. The selection is made anew."""
    large = two_domains(tmp_path / "large", source=60)
    short = ["--recipe.pretrain_steps=2", "--recipe.adaptation_steps=32", "--recipe.distillation.steps=2"]
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert main(words(large, whole, *short)) == 0
    # Step 30 ends the pass over 60 images; the selection of the next epoch begins at once.
    stopped(words(large, out, *short), out / "logs/adapt.csv", 30)
    assert "and saved at step 30 of phase adapt" in capsys.readouterr().err
    assert not (out / "logs/selection_1.csv").exists()
    assert main(words(large, out, "--resume=true", *short)) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_sigterm_before_training_says_how_to_begin_again(tmp_path):
    out = tmp_path / "run"
    given = words(two_domains(tmp_path, source=400), out, method="source_only")
    process = subprocess.Popen([sys.executable, "-m", "pixda", *given], stderr=subprocess.PIPE, text=True)
    while not out.exists():  # it is held from before the files are checked
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    said, command = process.communicate()[1].strip().splitlines()[-2:]
    assert process.returncode == 130
    assert said == "pixda: stopped."
    assert command.endswith("--resume true")
