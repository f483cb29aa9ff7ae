"""Faults that are really there, at a moment of one's choice: what the tests of reliability share."""

import csv
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from types import FrameType

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


# The runs that are killed are forked from a process that has imported PyTorch once, which takes longer than they do.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pixda.training.experiment"])


@contextmanager
def _killed(words: list[str], trace: Callable[..., None] | None = None, *given: object) -> Iterator[Process]:
    """A run in a process that kills itself, as `trace` says, or is killed: nothing else may have ended it."""
    with tempfile.NamedTemporaryFile() as told:
        process = _FORKS.Process(target=_run, args=(words, told.name, trace, given))
        process.start()
        yield process
        process.join()
        assert process.exitcode == -signal.SIGKILL, Path(told.name).read_text()


def _run(words: list[str], told: str, trace: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    file = os.open(told, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if trace is not None:
        trace(*given)
    sys.exit(main(words))


def killed_when_logged(log: Path, step: int, words: list[str]) -> None:
    """A run that is killed from outside once it has logged a step."""
    with _killed(words) as process:
        while process.is_alive() and max(steps_logged(log), default=-1) < step:
            time.sleep(0.001)
        process.kill()


def killed_at(places: dict[str, int], record: Path, words: list[str]) -> None:
    """A run that is killed at the N-th line run in a function, of several whichever comes first.

    The function is written into `record`.
    """
    with _killed(words, _trace_lines, dict(places), record):
        pass


def killed_at_step(step: str, number: int, words: list[str]) -> None:
    """A run that is killed as it begins its N-th step of a kind of phase, as in `Adversarial.step`."""
    with _killed(words, _trace_calls, step, number):
        pass


def _trace_lines(left: dict[str, int], record: Path) -> None:
    def line(frame: FrameType, event: str, argument: object) -> object:
        if event == "line":
            name = frame.f_code.co_qualname
            left[name] -= 1
            if left[name] == 0:
                with record.open("a") as file:
                    file.write(f"{name}\n")
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    sys.settrace(lambda frame, event, argument: line if frame.f_code.co_qualname in left else None)


def _trace_calls(name: str, left: int) -> None:
    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if frame.f_code.co_qualname == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.settrace(called)
