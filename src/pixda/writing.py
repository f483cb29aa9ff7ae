"""Atomic writing of files."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LONGEST_NAME = 255  # bytes, of a file on most disks


@contextmanager
def atomic_write(path: Path, shared: bool = False) -> Iterator[Path]:
    """Write to a hidden file beside ``path`` that is renamed to ``path`` if the block ends without an error.

    Its ending is that of ``path``, by which libraries tell a format. Others may read it as far as the umask allows;
    some writers (safetensors) would make it private.

    Args:
        path: in a folder that exists; what has the name now stays until the new file is complete.
        shared: several processes may write the same file at the same time, so each gets a hidden one of its own.
            Without it, what a killed process left is overwritten by the next one.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    before, name = f".unfinished-{f'{os.getpid()}-' if shared else ''}", os.fsencode(path.name)
    short = path.name if len(before) + len(name) <= _LONGEST_NAME else hashlib.sha256(name).hexdigest() + path.suffix
    unfinished = path.with_name(before + short)
    try:
        unfinished.unlink(missing_ok=True)
        unfinished.touch()
        permissions = unfinished.stat().st_mode & 0o777
        yield unfinished
        unfinished.chmod(permissions)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink()
