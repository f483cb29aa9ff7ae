"""What a run is compared with where the user names nothing else, and which run of a comparison is shown."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixda.errors import UserError
from pixda.methods import METHODS
from pixda.report.runs import RunFolder

CONTROLS = ("source_only", "fine_tuning", "joint")
"""The plain answers that an adaptation has to beat."""
_ALIKE = ("source", "more_sources", "target", "classes", "size", "network", "seed", "start_from")


def neighbours(run: RunFolder) -> list[RunFolder]:
    """The run's first stage, then of each control one finished run in the folder beside it.

    A control counts where it was made with the same data, shots, network, seed and first stage; of several, the one
    with the fewest departures from its preset, then the first by name.
    """
    if run.made is None:
        return []
    found = []
    first = run.training.experiment.start_from
    if first is not None and (made := _account(first)) is not None and made["method"] == "source_only":
        found.append(first)
    beside = {folder: _account(folder) for folder in sorted(run.folder.absolute().parent.iterdir())}
    for method in CONTROLS:
        fitting = [
            (len(made["departures"]), folder)
            for folder, made in beside.items()
            if made is not None and made["method"] == method and _alike(made["config"], run.made["config"])
        ]
        if fitting and method != run.training.method:
            found.append(min(fitting)[1])
    return [RunFolder.read(folder) for folder in found]


def run_to_show(folder: Path) -> RunFolder:
    """The run of a comparison that is shown in pictures.

    Of its finished runs, and the first folds of what was scored by folds: PixDA before other methods that learn from
    shots, before source only; then the fewest departures from the preset, the fewest shots, the lowest seed, the first
    name.

    Raises:
        UserError: none is finished.
    """
    runs = folder / "runs"
    accounts = {path: _account(path) for path in sorted([*runs.glob("*"), *runs.glob("*/fold_1")])}

    def order(made: Mapping[str, Any]) -> tuple[int, int, float, int]:
        kind = 0 if made["method"] == "pixda" else 1 if METHODS[made["method"]].learns_from_shots else 2
        shots = made["config"]["target"]["shots"]
        return kind, len(made["departures"]), math.inf if shots == "all" else shots, made["config"]["seed"]

    finished = [(order(made), path) for path, made in accounts.items() if made is not None]
    if not finished:
        raise UserError(f"No run of the comparison in {folder} is finished yet.")
    return RunFolder.read(min(finished)[1])


def _account(folder: Path) -> Mapping[str, Any] | None:
    """What ``model.json`` says of a finished run; None for anything else, which nobody has asked for."""
    try:
        if not (folder / "scores.json").is_file() or not (folder / "config.yaml").is_file():
            return None
        made: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))["made"]
        return made if made["method"] in METHODS else None
    except (OSError, ValueError, KeyError):
        return None


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in _ALIKE)
