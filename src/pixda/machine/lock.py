"""One process at a time in a run's folder; the system lets go of the lock however the process ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pixda.errors import UserError

_NAME = ".lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which is made if it is not there, and taken away again if nothing was put into it.

    Raises UserError if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"Another process is at work in {folder}; wait for it, or choose another --out.") from None
    try:
        yield
    finally:
        if [path.name for path in folder.iterdir()] == [_NAME]:
            # Before the lock is let go: who opens the file from now on makes a new one, and keeps the folder.
            (folder / _NAME).unlink()
            with suppress(OSError):
                folder.rmdir()
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether some process is at work in a run's folder."""
    if not (folder / _NAME).exists():
        return False
    lock = FileLock(folder / _NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
