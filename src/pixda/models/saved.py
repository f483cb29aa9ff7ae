"""A run's model on disk: weights in model.safetensors, and in model.json how they were made."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.own import ARCHITECTURE
from pixda.models.segmenter import Segmenter
from pixda.models.untrusted import at_most, check_numbers
from pixda.reading import one_line, read_json
from pixda.writing import atomic_write

FORMAT = 1
_LARGEST_SIDE = 1 << 16  # pixels


def save_model(folder: Path, segmenter: Segmenter, made: dict[str, Any]) -> Path:
    """Write ``model.safetensors`` (weights) and ``model.json`` (classes, network, how it was made)."""
    weights = {name: tensor.contiguous() for name, tensor in segmenter.state_dict().items()}
    about = {"format": FORMAT, "network": segmenter.spec(), "classes": segmenter.classes.to_dict(), "made": made}
    # The weights are moved into place last, so that a model with weights is complete.
    with atomic_write(folder / "model.safetensors") as file, atomic_write(folder / "model.json") as card:
        save_file(weights, file)
        card.write_text(json.dumps(about, indent=2) + "\n")
    return folder / "model.safetensors"


def load_model(path: Path, own: Callable[[ClassSet], Segmenter] | None = None) -> tuple[Segmenter, dict[str, Any]]:
    """The segmenter and the account of its making, from a run folder or its ``model.safetensors``.

    `own` builds the network for a class set, if the run was given a network in Python.

    Raises:
        UserError: there is no finished model, or it cannot be read.
    """
    weights = _weights(path)
    card = weights.with_suffix(".json")
    for file in (weights, card):
        if not file.is_file():
            raise UserError(f"There is no model at {path}: {file} is missing. Name the folder of a finished run.")
    about = read_about(card)
    if about["network"].get("architecture") == ARCHITECTURE and own is None:
        raise UserError(
            f"The model at {path} is a network that was given in Python: load it with pixda.api.load(..., network=...) "
            "and the same module."
        )
    try:
        tensors = load_file(weights)
        network = about["network"]
        if network.get("name") is not None:
            raise ValueError("its network asks for another model, which a saved one never does")
        check_numbers(network)
        classes = ClassSet.from_dict(about["classes"])
        if own is not None:
            segmenter = own(classes)
        else:
            with at_most(sum(tensor.numel() for tensor in tensors.values())):
                segmenter = build_segmenter(classes=classes, **network)
        segmenter.load_state_dict(tensors)
    except Exception as error:  # safetensors, torch and a network's code raise many kinds on a damaged file
        raise UserError(
            f"The model at {path} cannot be read ({one_line(error)}): copy both of its files again, or train anew."
        ) from error
    return segmenter, about["made"]


def model_hash(path: Path) -> str:
    """A hash of a finished run's weights, which identifies the model wherever its folder is."""
    with _weights(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _weights(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path


def save_discriminator(folder: Path, discriminator: nn.Module) -> None:
    """Write ``discriminator.safetensors``: the discriminator at the end of its phase, for the report.

    Checkpoints of later phases do not contain it.
    """
    with atomic_write(folder / "discriminator.safetensors") as file:
        save_file({name: tensor.contiguous() for name, tensor in discriminator.state_dict().items()}, file)


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
            "target": {
                "dataset": str,
                "split": str,
                "test_split": (str, NoneType),
                "shots": (int, str),
                "shot_list": str,
            },
        },
    },
}
"""The keys and types in ``model.json`` that its readers rely on."""


def read_about(card: Path) -> dict[str, Any]:
    """The content of ``model.json``. Raises UserError if something is missing or of the wrong type."""
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
    """The first place in nested values, such as ``made.config``, with a type other than in ``form``; None if none."""
    if not isinstance(form, dict):
        return None if isinstance(value, form) else where
    if not isinstance(value, dict):
        return where or "the file"
    found = (_misfit(value.get(key), part, f"{where}.{key}".lstrip(".")) for key, part in form.items())
    return next((place for place in found if place is not None), None)
