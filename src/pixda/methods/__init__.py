"""The methods by name, and their presets."""

from dataclasses import fields
from typing import Any

from pixda.errors import UserError
from pixda.methods.adaptsegnet import AdaptSegNet
from pixda.methods.advent import Advent
from pixda.methods.fda import FDA
from pixda.methods.fine_tuning import FineTuning
from pixda.methods.fsda import Fsda
from pixda.methods.joint import Joint
from pixda.methods.method import Method
from pixda.methods.naae import NAAE
from pixda.methods.pixda import PixDA
from pixda.methods.presets import PRESETS
from pixda.methods.self_training import SelfTraining
from pixda.methods.source_only import SourceOnly
from pixda.words import did_you_mean

METHODS: dict[str, type[Method]] = {
    "source_only": SourceOnly,
    "fine_tuning": FineTuning,
    "joint": Joint,
    "self_training": SelfTraining,
    "adaptsegnet": AdaptSegNet,
    "advent": Advent,
    "fsda": Fsda,
    "fda": FDA,
    "naae": NAAE,
    "pixda": PixDA,
}


def build(method: str, preset: str = "paper", **changes: Any) -> Method:
    """The method with the values of a preset, and with ``changes`` to them.

    Raises:
        UserError: there is no such method, preset or setting; the text lists the choices.
    """
    if method not in METHODS:
        raise UserError(
            f"There is no method '{method[:50]}'; choose one of {', '.join(METHODS)}.{did_you_mean(method, METHODS)}"
        )
    if preset not in PRESETS:
        raise UserError(
            f"There is no preset '{preset[:50]}'; choose one of {', '.join(PRESETS)}.{did_you_mean(preset, PRESETS)}"
        )
    known = [field.name for field in fields(METHODS[method])]
    if unknown := [name for name in changes if name not in known]:
        raise UserError(f"The method '{method}' has no setting '{unknown[0]}'; it has {', '.join(known)}.")
    values = {name: value for name, value in PRESETS[preset].items() if name in known}
    return METHODS[method](**(values | changes))


def departures(method: Method, name: str, preset: str) -> dict[str, Any]:
    """The hyper-parameters that differ from the preset's, as ``group.field`` -> value; for labels on results."""
    reference = build(name, preset)
    differing: dict[str, Any] = {}
    for field in fields(method):
        mine, theirs = getattr(method, field.name), getattr(reference, field.name)
        if mine == theirs:
            continue
        if not hasattr(mine, "__dataclass_fields__"):
            differing[field.name] = mine
            continue
        for inner in fields(mine):
            if getattr(mine, inner.name) != getattr(theirs, inner.name):
                differing[f"{field.name}.{inner.name}"] = getattr(mine, inner.name)
    return differing
