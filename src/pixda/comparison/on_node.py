"""What a worker of a Ray cluster does for a job. Nothing heavy is imported here: a worker only waits."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixda.provenance import code_hash

_LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True)
class NodeSettings:
    """What every node must see as the machine does on which the comparison was started."""

    out: Path
    """Folder of the comparison; with it each job's config, checkpoints, model and log."""
    mark: str
    """Name of a file that was put there: another folder may have the same path on another machine."""
    start: Path
    """The folder in which the comparison was started; relative paths in configs begin there."""
    code: str
    """Hash of the package that plans and collects."""


def other_code(settings: NodeSettings) -> str | None:
    """Whether this node has another package, as the end of a sentence about it; None where it has the same."""
    if (code := code_hash()) != settings.code:
        return f"has another PixDA (code {code}, here {settings.code}): install the same one on all nodes"
    return None


def unseen(settings: NodeSettings) -> str | None:
    """What of the comparison this node does not see, as the end of a sentence about it; None where it sees all."""
    if not (settings.out / settings.mark).is_file():
        return f"does not see the folder {settings.out}: put --out on a file system that all nodes share"
    if not settings.start.is_dir():
        return f"does not see the folder {settings.start}: start the comparison in one that all nodes share"
    return None


def fault(settings: NodeSettings) -> str | None:
    """Why no job can run on this node, as the end of a sentence about it; None where one can."""
    return unseen(settings) or other_code(settings)


def run(settings: NodeSettings, words: Sequence[str], log: Path, threads: int, gpus: float) -> tuple[int, float]:
    """Run a command of PixDA in a process of its own.

    A cancelled task is one in which KeyboardInterrupt is raised; the process is then asked to save its state.

    Args:
        settings: what the node must see.
        words: the ``pixda`` command.
        log: file for what it prints.
        threads: CPU threads.
        gpus: as Ray was asked for; it has put their numbers into CUDA_VISIBLE_DEVICES.

    Returns:
        Exit code (a signal's number, negative, where one ended it) and seconds.

    Raises:
        RuntimeError: this node does not see the comparison; it may have joined after the others were looked at.
    """
    # Its code may be another by now: then that is in the account of the run, as it is of runs on one machine.
    if (why := unseen(settings)) is not None:
        raise RuntimeError(f"The node {os.uname().nodename} {why}.")
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if gpus == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    began = time.monotonic()
    with log.open("ab") as file:
        file.write(f"On {os.uname().nodename}:\n".encode())
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", "pixda", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=settings.start,
            env=environment,
        )
    try:
        while process.poll() is None:
            time.sleep(_LOOK_EVERY)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return process.returncode, time.monotonic() - began
