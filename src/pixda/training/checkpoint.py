"""Checkpoints: the whole state of a run in one file."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from pixda import __version__
from pixda.errors import UserError, first_line
from pixda.machine.faults import disk_error
from pixda.models.untrusted import load_torch
from pixda.writing import atomic_write

FORMAT = 2  # 2: discriminators by that name
_NAMED = 8  # differences

_LIMITS = ("skip_unreadable", "skip_not_finite")
"""Options that may be raised on the way: what was done under a lower limit is what a higher one would have done."""


@dataclass
class Position:
    """Progress of a run."""

    phase: int = 0
    """Index of the current phase."""
    epoch: int = 0
    """Completed epochs of the phase."""
    batch: int = 0
    """Completed batches of the epoch."""
    step: int = 0
    """Completed steps of the phase."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically: a reader sees the old file or the new one, never half of one.

    Raises:
        OSError: there is no room for it; the old file is untouched.
    """
    try:
        with atomic_write(path) as unfinished, unfinished.open("wb") as file:
            torch.save({"format": FORMAT, "version": __version__, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        raise disk_error(error) or error from None


def load_checkpoint(path: Path, config: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Read the state to resume from.

    Args:
        path: the run's checkpoint.
        config: the configuration of the run that goes on; it must be the one the checkpoint was made with.
        given: what the configuration's paths lead to (class set, frames); it must be what it was.

    Raises:
        UserError: the file cannot be read or was changed, or belongs to another version, configuration, class set or
            data (the differences are named).
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of '{damaged}' is not that of its content")
        state: dict[str, Any] = load_torch(path)
        form, version, began = state.get("format"), state.get("version"), dict(state["config"])
    except Exception as error:  # zipfile and torch raise a dozen kinds for a damaged file
        raise UserError(f"The checkpoint {path} cannot be read ({first_line(error)}); start the run anew.") from error
    if form != FORMAT:
        raise UserError(
            f"The checkpoint {path} was written by another version of PixDA ({version or 'unknown'}, format {form}; "
            f"this is {__version__}, format {FORMAT}): go on with that one, or start the run anew."
        )
    for limit in _LIMITS:
        if (began.get(limit) or 0) <= (config.get(limit) or 0):
            began[limit] = config.get(limit)
    # An option that did not exist when the checkpoint was written counts as null in it.
    changed = differences(began, config) + differences(state.get("given", given), given)
    if changed:
        more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise UserError(
            f"The run in {path.parent} was started with another configuration: "
            f"{'; '.join(changed[:_NAMED])}{more}. Go on with the old values, or choose another --out."
        )
    return state


def position_in(state: dict[str, Any], phases: int) -> Position:
    """The position stored in a checkpoint. Raises ValueError if a run of so many phases has none such."""
    position = Position(**state["position"])
    counts = [*asdict(position).values(), *state["steps_done"].values()]
    if not all(type(count) is int and count >= 0 for count in counts) or position.phase >= phases:
        raise ValueError("its position is outside the run")
    if not isinstance(state["selections"], list):
        raise TypeError("its selections are no list")
    return position


@contextmanager
def mismatch_explained(path: Path) -> Iterator[None]:
    """Turn the errors of restoring a readable checkpoint of wrong content into one UserError."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"The checkpoint {path} does not hold the state of this run ({type(error).__name__}: "
            f"{first_line(error)}); it was changed or is of another version: start the run anew."
        ) from error


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """``key: old -> new`` for every leaf in which two nested dictionaries differ."""
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before} -> {after}")
    return found


def random_state(fabric: Fabric) -> dict[str, Any]:
    """The random-number states of torch in this process."""
    cuda = torch.cuda.get_rng_state(fabric.device) if fabric.device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(fabric: Fabric, state: dict[str, Any]) -> None:
    """Restore what ``random_state`` returned."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], fabric.device)
