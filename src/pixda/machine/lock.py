"""A lock that allows one process at a time in a run folder; released by the system however the process ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pixda.errors import UserError

_NAME = ".lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Lock a run folder, creating it if needed and removing it afterwards if it stayed empty.

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
            # Before releasing the lock: who opens the file from now on creates a new one, and keeps the folder.
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
