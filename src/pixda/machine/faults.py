"""Turns full disks and exhausted memory into one sentence that says what to do."""

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pixda.errors import Resumable, UserError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


def disk_error(error: BaseException | None) -> OSError | None:
    """The OSError behind another exception, if any: libraries wrap it in their own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def resource_errors_explained(folder: Path) -> Iterator[None]:
    """Turn running out of disk or memory into a ``UserError``.

    Args:
        folder: of the run; a checkpoint in it is what the run goes on from.
    """
    before = threading.excepthook
    # The log writer has its own thread; a full disk there reaches the run with its next write.
    threading.excepthook = lambda args: None if _is_full(args.exc_value) else before(args)
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if _is_full(error):
            raise _ended(f"The disk of {folder} is full: make room.", folder) from error
        if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or _NO_MEMORY.search(str(error))):
            raise
        where = "GPU memory" if "CUDA" in str(error) else "memory"
        raise _ended(
            f"Out of {where} ({_short(str(error))}). If others use it too, wait until they have left; else pixda plan "
            "with the same options says what fits: --machine.recompute_blocks true, --machine.images_at_a_time 1 and, "
            "on a GPU, --machine.precision bf16-mixed need less, and a run may go on with them; one that begins anew "
            "may have a smaller --recipe.batch, --recipe.crop or --size.",
            folder,
        ) from error
    finally:
        threading.excepthook = before


def card_of(error: BaseException) -> float | None:
    """Gigabytes of the GPU that ran out of memory, as PyTorch says it; None where it was something else."""
    found = re.search(r"CUDA out of memory.*total capacity of ([\d.]+) GiB", str(error.__cause__), re.DOTALL)
    return float(found.group(1)) if found else None


def _is_full(error: BaseException | None) -> bool:
    """Whether a file could not be written for lack of room: a full disk, a quota, a limit on the size of files."""
    found = disk_error(error)
    return found is not None and found.errno in _FULL


def _ended(text: str, folder: Path) -> UserError:
    if (folder / "checkpoint.pt").is_file():
        return Resumable(f"{text} The last checkpoint in {folder} is whole; --resume true goes on from it.")
    return UserError(text)


def _short(text: str) -> str:
    """The allocation that failed, out of a message of several paragraphs."""
    found = re.search(r"tried to allocate [\d.]+ \w+", text, re.IGNORECASE)
    return found.group() if found else (text.strip().splitlines() or ["nothing more is known"])[0][:120]
