"""The logs of a run as curves: every phase, what belongs together in one panel."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixda.phases.phase import Phase
from pixda.words import new_loss_name

_MOST_POINTS = 300
"""More than a panel can show; longer logs are averaged down to it."""


@dataclass(frozen=True)
class Panel:
    """Curves over one axis."""

    phase: str
    title: str
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]
    """Name -> optimiser steps and values."""
    chance: float | None
    """What a discriminator that can tell nothing would show; None where that means nothing."""

    def words(self) -> str:
        """First and last value of each curve, for who cannot see it."""
        ends = [f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, (_, values) in self.curves.items()]
        return f"{self.phase}, {self.title}: {'; '.join(ends)}."


def panels(logs: Path, phases: Mapping[str, Phase]) -> list[Panel]:
    """The panels of all phases that have been logged, in the order in which they were run.

    Args:
        logs: the run's folder of CSV files, one for each phase.
        phases: name -> phase, which says what learned beside the segmenter.
    """
    files = [file for file in logs.glob("*.csv") if not file.stem.startswith("selection_")]
    found = []
    for file in sorted(files, key=lambda file: file.stat().st_mtime):
        with file.open(newline="") as lines:
            rows = [{new_loss_name(name): value for name, value in row.items()} for row in csv.DictReader(lines)]
        groups: dict[str, list[str]] = {}
        others = phases[file.stem].discriminators if file.stem in phases else ()
        for name in rows[0] if rows else ():
            if name not in ("step", "epoch"):
                groups.setdefault(_group(name, others), []).append(name)
        for title, names in groups.items():
            curves = {name.replace("_", " "): _curve(rows, name) for name in names}
            chance = {"accuracy of the discriminators": 0.5, "losses of the discriminators": 0.693}.get(title)
            if any("pair_discriminator" in name for name in names):
                chance = None  # FSDA's: their loss has another scale beside the others'
            found.append(Panel(file.stem, title, curves, chance))
    return found


def _group(name: str, others: tuple[str, ...]) -> str:
    if name == "lr":
        return "learning rate"
    if name.endswith("_accuracy"):
        return "accuracy of the discriminators"
    if name.startswith(others):
        return "losses of the discriminators"
    return "losses and weights of the segmenter"


def _curve(rows: Sequence[Mapping[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values, long ones as means of neighbours; one whose source drops out has no more values."""
    there = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
    width = max(1, -(-len(there) // _MOST_POINTS))
    parts = [there[start : start + width] for start in range(0, len(there), width)]
    return [part[-1][0] for part in parts], [sum(value for _, value in part) / len(part) for part in parts]
