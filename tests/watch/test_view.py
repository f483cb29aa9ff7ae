"""What a run looks like on a terminal, and in a real one of 80 columns."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.console import Console

from pixda.watch.view import Count, ViewState, view
from runs import two_domains, words

MANY = {f"unlabelled_{name}": 0.123456 for name in ("target", "adversarial", "pixel_weight", "discriminator")}
FACTS = {"kept": "gta5 812 of 2975, synthia 5400 of 9400", "mIoU of the shots": "61.2", "memory": "12.3 GiB"}


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_wider_than_the_terminal_and_nothing_wraps(width):
    standing = ViewState(
        "adaptsegnet",
        "self-train-1, phase 3 of 4",
        412,
        20000,
        "epoch 12 · 2.1 steps/s · 3 h 20 min left in this phase, at least 40 h 00 min in all",
        {"source": 0.4, "target": 12345.678, **MANY},
        FACTS,
        {"selection": Count(120, 812, "20 s left")},
    )
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    screen.print(view(standing, width))
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("adaptsegnet")
    assert lines[1].startswith("epoch 12 · 2.1 steps/s")
    assert lines[-2].startswith("kept gta5 812 of 2975")
    assert "120/812" in lines[-1]
    columns = {40: 1, 80: 2, 120: 3}[width]
    assert len(lines) == 4 + -(-6 // columns), "two lines of the phase, the losses, the facts, the count"


def on_a_terminal(command, columns):
    """Everything that a process writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not some:
            break
        written += some
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


def test_a_run_on_a_terminal_is_one_view_that_stays_within_it(tmp_path):
    given = words(two_domains(tmp_path), tmp_path / "run")
    written = on_a_terminal([sys.executable, "-m", "pixda", *given], 80)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    for phase in ("pretrain, phase 1 of 3", "adapt, phase 2 of 3", "distil, phase 3 of 3"):
        assert f"pixda {phase}" in shown
    assert "pixda: selection: 6 of 10 source images stay" in shown
    assert re.search(r"kept 0 of 6 source images", shown)
    assert re.search(r"memory \d+\.\d GiB", shown)
    # The cursor is hidden while it runs, and given back.
    assert written.rindex("\x1b[?25h") > written.index("\x1b[?25l")
    # A view that is cleared line by line flickers less than a screen that is cleared whole.
    assert "\x1b[2J" not in written
