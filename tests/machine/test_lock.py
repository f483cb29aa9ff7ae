"""One process at a time in a run's folder."""

import os
import subprocess
import sys

import pytest

from pixda.__main__ import main
from pixda.errors import UserError
from pixda.machine.lock import hold, is_held
from runs import start, two_domains, wait_for, words

HOLDER = """
import sys, time
from pathlib import Path
from pixda.machine.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_free_again_when_its_holder_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert is_held(tmp_path)
    with pytest.raises(UserError, match="at work"), hold(tmp_path):
        pass
    process.kill()
    process.wait()
    assert not is_held(tmp_path)
    with hold(tmp_path):
        assert is_held(tmp_path)


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path, capsys):
    root, out = two_domains(tmp_path), tmp_path / "run"
    more = "--recipe.more_steps=0"
    process = start(root, out, more, method="source_only")
    wait_for(process, out / "logs/pretrain.csv", 2)
    process.send_signal(19)  # SIGSTOP: it shall not be over before the second has tried
    try:
        assert main(words(root, out, "--resume=true", more, method="source_only")) == 1
        assert "Another process is at work" in capsys.readouterr().err
    finally:
        process.send_signal(18)  # SIGCONT
    assert process.wait(timeout=120) == 0
    assert (out / "scores.json").exists()
