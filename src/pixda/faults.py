"""What a machine runs out of, in one sentence that says what to do."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pixda.errors import Resumable, UserError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


def is_full(error: OSError) -> bool:
    """Whether a file could not be written for lack of room: a full disk, a quota, a limit on the size of files."""
    return error.errno in _FULL


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn running out of disk or memory into a :class:`UserError`.

    Args:
        folder: of the run; a checkpoint in it is what the run goes on from.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise _ended(f"The disk of {folder} is full ({error.strerror}): make room.", folder) from error
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or _NO_MEMORY.search(str(error))):
            raise
        where = "GPU memory" if "CUDA" in str(error) else "memory"
        raise _ended(
            f"Out of {where} ({_short(str(error))}). If others use it too, wait until they have left; else "
            "--machine.precision bf16-mixed halves what is needed on a GPU and may be given to a run that goes on, "
            "and a run that begins anew may have a smaller --recipe.batch, --recipe.crop or --size.",
            folder,
        ) from error


def _ended(text: str, folder: Path) -> UserError:
    if (folder / "checkpoint.pt").is_file():
        return Resumable(f"{text} The last checkpoint in {folder} is whole; --resume true goes on from it.")
    return UserError(text)


def _short(text: str) -> str:
    """What was asked for, of a message that goes on for paragraphs."""
    found = re.search(r"[Tt]ried to allocate [^.;]*", text)
    return found.group() if found else (text.strip().splitlines() or ["nothing more is known"])[0][:120]
