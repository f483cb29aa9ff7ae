"""What a worker of a Ray cluster does for a job: it starts the command and waits. It imports no torch."""

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
    """Name of a file in ``out``: another folder may have the same path on another machine."""
    start: Path
    """The folder in which the comparison was started; relative paths in configs are relative to it."""
    code: str
    """Hash of the package's code on the machine that started the comparison."""


def unseen(settings: NodeSettings) -> str | None:
    """What of the comparison this node does not see, as the end of a sentence about it; None where it sees all."""
    if not (settings.out / settings.mark).is_file():
        return f"does not see the folder {settings.out}: put --out on a file system that all nodes share"
    if not settings.start.is_dir():
        return f"does not see the folder {settings.start}: start the comparison in one that all nodes share"
    return None


def fault(settings: NodeSettings) -> str | None:
    """Why no job can run on this node, as the end of a sentence about it; None where one can."""
    if (why := unseen(settings)) is not None:
        return why
    if (code := code_hash()) != settings.code:
        return f"has another PixDA (code {code}, here {settings.code}): install the same one on all nodes"
    return None


def run(settings: NodeSettings, words: Sequence[str], log: Path, threads: int, gpus: float) -> int:
    """Run a ``pixda`` command in a process of its own.

    Ray cancels a task by raising KeyboardInterrupt in it; the process is then asked to save its state.

    Args:
        settings: what the node must see.
        words: the command.
        log: file for what it prints.
        threads: CPU threads.
        gpus: as Ray was asked for; it has put their numbers into CUDA_VISIBLE_DEVICES.

    Returns:
        Exit code; where a signal ended it, minus its number.

    Raises:
        RuntimeError: this node does not see the comparison; it may have joined after the others were checked.
    """
    # The code is not compared here: it may have been edited since, and the account of the run has its hash.
    if (why := unseen(settings)) is not None:
        raise RuntimeError(f"The node {os.uname().nodename} {why}.")
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if gpus == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
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
    return process.returncode
