"""Faults that are really there, at a moment of one's choice: what the tests of reliability share."""

import csv
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixda.__main__ import main


def steps_logged(log: Path) -> list[int]:
    """The steps of a phase's log, in the order in which they stand there."""
    if not log.exists():
        return []
    with log.open(newline="") as file:
        return [int(row["step"] or 0) for row in csv.DictReader(file)]


@contextmanager
def when_logged(log: Path, step: int, act: Callable[[], None]) -> Iterator[None]:
    """Do it once the run that goes on meanwhile has logged this step."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if max(steps_logged(log), default=-1) >= step:
                act()
                return
            time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def stopped(words: list[str], log: Path, step: int) -> None:
    """A run that this process was asked by SIGTERM to stop, at this step or soon after it."""
    with when_logged(log, step, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        assert main(words) == 1


@contextmanager
def limited(what: int, to: int) -> Iterator[None]:
    """A limit of the system on this process, for a while."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (to, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of so many bytes; skips the test where none may be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: that takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


# Kills itself without a warning (SIGKILL) at the N-th line that it runs in one of the named functions.
_KILLED = """
import os, signal, sys
import pixda.training.experiment
from pixda.__main__ import main
limits = dict(zip(sys.argv[1].split(","), map(int, sys.argv[2].split(","))))
def line(frame, event, argument):
    if event == "line":
        name = frame.f_code.co_qualname
        limits[name] -= 1
        if limits[name] == 0:
            with open(sys.argv[3], "a") as file:
                file.write(name + "\\n")
            os.kill(os.getpid(), signal.SIGKILL)
    return line
sys.settrace(lambda frame, event, argument: line if frame.f_code.co_qualname in limits else None)
sys.exit(main(sys.argv[4:]))
"""


def killed_at(places: dict[str, int], record: Path, words: list[str]) -> None:
    """A run in a process that is killed at the N-th line run in a function, of several whichever comes first.

    The function is written into `record`.
    """
    names, lines = ",".join(places), ",".join(map(str, places.values()))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, names, lines, str(record), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


# Kills itself as the N-th call of a function begins.
_KILLED_AT_CALL = """
import os, signal, sys
from pixda.__main__ import main
left = int(sys.argv[2])
def called(frame, event, argument):
    global left
    if frame.f_code.co_qualname == sys.argv[1]:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.settrace(called)
sys.exit(main(sys.argv[3:]))
"""


def killed_at_step(step: str, number: int, words: list[str]) -> None:
    """A run in a process that is killed as it begins its N-th step of a kind of phase, as in `Adversarial.step`."""
    command = [sys.executable, "-c", _KILLED_AT_CALL, step, str(number), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
