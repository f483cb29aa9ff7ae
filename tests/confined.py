"""`python confined.py FOLDER...`: pixda commands, a JSON line each; the kernel lets nothing else be written.

Landlock (Linux 5.13) holds for this process and all that it starts, native code as well as Python's.
"""

import ctypes
import json
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES = 38
# Write a file, remove and make all kinds of entries, and (second version of the interface) cut a file short.
_WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 13))
_DEVICES = ("/dev/null", "/dev/shm")  # nothing that stays: the second is where processes share memory


def available() -> bool:
    """Whether this kernel can confine a process."""
    return sys.platform == "linux" and ctypes.CDLL(None).syscall(_CREATE, None, 0, 1) >= 1


def confine(folders: Sequence[Path]) -> None:
    """From now on, nothing but what lies in the folders can be written by this process or its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = libc.syscall(_CREATE, struct.pack("Q", _WRITES), 8, 0)
    for path in (*folders, *map(Path, _DEVICES)):
        file = os.open(path, os.O_PATH)
        allowed = _WRITES if path.is_dir() else 1 << 1
        if libc.syscall(_ADD, ruleset, 1, struct.pack("=Qi", allowed, file), 0) != 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
        os.close(file)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.syscall(_RESTRICT, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")


if __name__ == "__main__":
    confine([Path(folder) for folder in sys.argv[1:]])
    from pixda.__main__ import main

    for line in sys.stdin:
        if main(json.loads(line)) != 0:
            raise SystemExit(f"failed: {line}")
