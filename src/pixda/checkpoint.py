"""What a run keeps: one checkpoint to go on from, and the final model for everybody."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.limits import at_most, check_numbers
from pixda.models.segmenter import Segmenter
from pixda.models.torch_files import load_torch
from pixda.reading import read_json

FORMAT = 1
_LARGEST_SIDE = 1 << 16  # pixels


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
        with zipfile.ZipFile(path) as archive:  # torch reads damaged tensors without a word
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{damaged} in it is not what was written")
        state = load_torch(path)
        if not isinstance(state, dict) or not isinstance(state.get("config"), dict):
            raise ValueError("it is no state of a run")
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
    weights = path / "model.safetensors" if path.is_dir() else path
    card = weights.with_suffix(".json")
    for file in (weights, card):
        if not file.is_file():
            raise UserError(f"There is no model at {path}: {file} is missing. Name the folder of a finished run.")
    about = read_about(card)
    try:
        tensors = load_file(weights)
        network = about["network"]
        if network.get("name") is not None:
            raise ValueError("it asks for another model, which no saved one does")
        check_numbers(network)
        with at_most(sum(tensor.numel() for tensor in tensors.values())):
            segmenter = build_segmenter(classes=ClassSet.from_dict(about["classes"]), **network)
        segmenter.load_state_dict(tensors)
    except Exception as error:  # whatever a damaged file makes safetensors, torch or a network's code raise
        raise UserError(
            f"The model at {path} cannot be read ({_first_line(error)}): copy both of its files again, or train anew."
        ) from error
    return segmenter, about["made"]


_ACCOUNT: dict[str, Any] = {
    "network": {"architecture": str},
    "classes": {},
    "made": {
        "version": str,
        "method": str,
        "preset": str,
        "departures": {},
        "first_weights": str,
        "steps": {},
        "machine": {},
        "config": {
            "size": list,
            "seed": int,
            "network": {"architecture": str},
            "source": {"dataset": str, "split": str},
            "target": {"dataset": str, "split": str, "test_split": str, "shots": int, "shot_list": str},
        },
    },
}
"""What readers of ``model.json`` rely on."""


def read_about(card: Path) -> dict[str, Any]:
    """What ``model.json`` says of a model. Raises UserError where something is missing or of another kind."""
    about = read_json(card, "The account of a model,")
    wrong = _misfit(about, _ACCOUNT)
    if wrong is None:
        size, steps = about["made"]["config"]["size"], about["made"]["steps"].values()
        if len(size) != 2 or not all(type(side) is int and 0 < side <= _LARGEST_SIDE for side in size):
            wrong = "made.config.size"
        elif not all(type(count) is int and count >= 0 for count in steps):
            wrong = "made.steps"
    if wrong is not None:
        raise UserError(
            f"{card} is no account of a finished run: '{wrong}' is missing or wrong; copy it again, or train anew."
        )
    return about  # type: ignore[no-any-return]  # a mapping: its form was checked


def _misfit(value: Any, form: Any, where: str = "") -> str | None:
    """The first place, such as ``made.config``, at which nested values are not of a form; None if they are."""
    if not isinstance(form, dict):
        return None if isinstance(value, form) else where
    if not isinstance(value, dict):
        return where or "the file"
    found = (_misfit(value.get(key), part, f"{where}.{key}".lstrip(".")) for key, part in form.items())
    return next((place for place in found if place is not None), None)


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
