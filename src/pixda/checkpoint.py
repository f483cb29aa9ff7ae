"""What a run keeps: one checkpoint to go on from, and the final model for everybody."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.segmenter import Segmenter

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state of a run; a reader sees the old file or the new one, never half of one."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The state to go on from.

    Args:
        path: the run's checkpoint.
        config: the configuration of the run that goes on; it must be the one the checkpoint was made with.

    Raises:
        UserError: the file cannot be read, or belongs to another configuration (the differences are named).
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise UserError(f"The checkpoint {path} cannot be read ({_first_line(error)}); start the run anew.") from error
    if state.get("format") != FORMAT:
        raise UserError(f"The checkpoint {path} was written by another version of PixDA; start the run anew.")
    # By their differences: an option that came after the checkpoint was written counts as null in it.
    if changed := differences(state["config"], config):
        raise UserError(
            f"The run in {path.parent} was started with another configuration: "
            f"{'; '.join(changed)}. Go on with the old values, or choose another --out."
        )
    return state


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


def save_model(folder: Path, segmenter: Segmenter, made: dict[str, Any]) -> Path:
    """Write ``model.safetensors`` (weights) and ``model.json`` (classes, network, how it was made)."""
    weights = {name: tensor.contiguous() for name, tensor in segmenter.state_dict().items()}
    temporary = folder / "model.safetensors.tmp"
    save_file(weights, temporary)
    about = {
        "format": FORMAT,
        "network": segmenter.spec(),
        "classes": segmenter.classes.to_dict(),
        "made": made,
    }
    card = folder / "model.json.tmp"
    card.write_text(json.dumps(about, indent=2) + "\n")
    card.replace(folder / "model.json")
    temporary.replace(folder / "model.safetensors")
    return folder / "model.safetensors"


def load_model(path: Path) -> tuple[Segmenter, dict[str, Any]]:
    """The segmenter and the account of its making, from a run folder or its ``model.safetensors``.

    Raises:
        UserError: there is no finished model, or it cannot be read.
    """
    weights = _weights(path)
    card = weights.with_suffix(".json")
    for file in (weights, card):
        if not file.is_file():
            raise UserError(f"There is no model at {path}: {file} is missing. Name the folder of a finished run.")
    try:
        about = json.loads(card.read_text())
        segmenter = build_segmenter(classes=ClassSet.from_dict(about["classes"]), **about["network"])
        segmenter.load_state_dict(load_file(weights))
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file makes json, safetensors or torch raise
        raise UserError(f"The model at {path} cannot be read ({_first_line(error)}).") from error
    return segmenter, about["made"]


def model_hash(path: Path) -> str:
    """A hash of the weights of a finished run, which say which model it is wherever the folder lies."""
    with _weights(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _weights(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path


def random_state(fabric: Fabric) -> dict[str, Any]:
    """The random-number states of this process."""
    cuda = torch.cuda.get_rng_state(fabric.device) if fabric.device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(fabric: Fabric, state: dict[str, Any]) -> None:
    """Take back what :func:`random_state` gave."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], fabric.device)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
