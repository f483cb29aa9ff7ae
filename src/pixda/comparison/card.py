"""The protocol card: what the numbers of a comparison rest on, for whoever wants to believe or repeat them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pixda.comparison.grid import Planned
from pixda.comparison.layout import folds_note, rare_note
from pixda.comparison.markup import markdown_text, text_table
from pixda.comparison.results import Comparison, progress
from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.open import open_dataset, open_test
from pixda.training.validation import shots_of

WEIGHTS = "The last ones of every run; none was chosen by its score."
"""Which weights are scored; true of every run that PixDA makes."""

Account = Mapping[str, Any]
"""What ``model.json`` says of the making of one model."""

_MOST_NAMED = 20  # frames of a set of shots


def card(comparison: Comparison) -> str:
    """The card as Markdown: what the runner says, what the runs' own accounts say, and each method's settings.

    Where runs disagree (version, machine, preset, size), each value is there with the number of its runs.
    """
    accounts = [result.made for result in comparison.results if result.made is not None]
    of_splits: dict[str, list[Account]] = {result.cell.split: [] for result in comparison.results}
    of_rows: dict[str, list[Account]] = {result.cell.row: [] for result in comparison.results}
    for result in comparison.results:
        if result.made is not None:
            of_splits[result.cell.split].append(result.made)
            of_rows[result.cell.row].append(result.made)
    notes = [(split, note(comparison, split)) for split in of_splits for note in (folds_note, rare_note)]
    parts = [
        f"# {markdown_text(comparison.title)}: protocol",
        text_table(["", ""], [*comparison.protocol.items(), *_common(comparison, accounts)]),
        "## Data",
        text_table(
            ["split", "source", "target", "scored on", "shots"],
            [_data(comparison, *item) for item in of_splits.items()],
        ),
        *(markdown_text(f"{split}: {note}" if split else note) for split, note in notes if note),
        "## Methods",
        text_table(
            ["row", "method", "departures from the preset", "optimiser steps", "first weights"],
            [_method(*item) for item in of_rows.items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def protocol(cells: Sequence[Planned], recipe: Mapping[str, Any]) -> dict[str, str]:
    """What all numbers of a comparison rest on."""
    classes = ClassSet.load(cells[0].run.training.experiment.classes)
    lines = {
        "seeds decide": "initial weights, order of the data, crops, drawn shots",
        "first stage": "source only; one for each source, network, seed and pretraining recipe, shared by all rows",
        "settings for all rows": json.dumps(recipe) if recipe else "those of the preset",
    }
    if any(planned.folds for planned in cells):
        lines["seeds decide"] += ", which fold a shot is in"
    made_of = {planned.cell.row: planned.row.making for planned in cells if planned.of}
    lines |= {f"row '{label}'": making for label, making in made_of.items()}
    for planned in {planned.cell.split: planned for planned in cells}.values():
        experiment, split = planned.run.training.experiment, planned.cell.split
        mark = f", {split}" if split else ""
        source = f"{len(open_dataset(experiment.source, classes).frames)} of the source{_world(experiment.source)}"
        if planned.folds:
            lines[f"frames{mark}"] = f"{source}; there is no test set: scored on the shots, by {planned.folds} folds"
            lines |= _shots(cells, split, mark)
        else:
            names = [frame.name for frame in open_test(experiment.target, classes).frames]
            lines[f"frames{mark}"] = f"{source}; scored on {len(names)} (hash of their names {_hash(names)})"
    return lines


def _shots(cells: Sequence[Planned], split: str, mark: str) -> dict[str, str]:
    """Which frames are dealt to the folds: a line for each set of shots, which most seeds or none have in common."""
    one_row = {(one.cell.shots, one.cell.seed): one for one in cells if one.cell.split == split}
    seeds: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for (shots, seed), planned in one_row.items():
        names = tuple(sorted(shots_of(planned.run.training.experiment, planned.folds)[1]))
        seeds.setdefault((f"{shots}-shot", names), []).append(seed)
    lines = {}
    for (label, names), of in seeds.items():
        listed = ", ".join(names[:_MOST_NAMED]) + ", …" * (len(names) > _MOST_NAMED)
        head = f"scored shots{mark}, {label}, seed {', '.join(map(str, of))}"
        lines[head] = f"{len(names)}: {listed} (hash of their names {_hash(names)})"
    return lines


def _hash(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _world(data: Data) -> str:
    return f" ({data.streets})" if data.dataset == "streets" else ""


def _common(comparison: Comparison, accounts: Sequence[Account]) -> list[tuple[str, str]]:
    """What should hold for all runs alike."""
    classes = comparison.classes
    cells = [result.cell for result in comparison.results]
    # Between two releases the version stands still and the code does not: its hash tells.
    made_by = [f"{made['version']}, code {made.get('code', 'not recorded')}" for made in accounts]
    versions = _several(made_by)
    if len(set(made_by)) > 1:
        versions = f"runs were made by several versions: {versions}"
    return [
        ("class set", f"{classes.name}: {len(classes.names)} classes; means over {', '.join(classes.protocols)}"),
        ("image size", _several("{} x {} (width x height)".format(*made["config"]["size"]) for made in accounts)),
        ("network", _several(made["config"]["network"]["architecture"] for made in accounts)),
        ("preset", _several(made["preset"] for made in accounts)),
        ("scored weights", WEIGHTS),
        ("shots of each city", ", ".join(dict.fromkeys(str(cell.shots) for cell in cells))),
        ("seeds", ", ".join(dict.fromkeys(str(cell.seed) for cell in cells))),
        ("runs", progress(comparison)),
        ("machine", _several(_listed(made["machine"]) for made in accounts)),
        ("version of PixDA", versions),
    ]


def _data(comparison: Comparison, split: str, accounts: Sequence[Account]) -> list[str]:
    sources = [made["config"]["source"] for made in accounts]
    targets = [made["config"]["target"] for made in accounts]
    folds = comparison.folds.get(split)
    return [
        split,
        _several(f"{source['dataset']}, split {source['split']}" for source in sources),
        _several(f"{target['dataset']}, split {target['split']}" for target in targets),
        f"{folds} folds of the shots" if folds else _several(f"split {one['test_split']}" for one in targets),
        # The list of a fold is only that of its training.
        "as listed above" if folds else _several(str(target["shot_list"]) for target in targets),
    ]


def _method(row: str, accounts: Sequence[Account]) -> list[str]:
    phases = dict.fromkeys(phase for made in accounts for phase in made["steps"])
    steps = []
    for phase in phases:
        counts = [made["steps"][phase] for made in accounts if phase in made["steps"]]
        # A phase may end early, when no source image is left: then runs of one row differ.
        steps.append(f"{phase} {min(counts)}" + (f" to {max(counts)}" if max(counts) > min(counts) else ""))
    return [
        row,
        _several(f"{made['method']}, preset {made['preset']}" for made in accounts),
        _several(_listed(made["departures"]) or "none" for made in accounts),
        ", ".join(steps) or "–",
        _several(made["first_weights"] for made in accounts),
    ]


def _several(values: Iterable[str]) -> str:
    """The one value of all runs; or each with the number of its runs, the most frequent first."""
    counts = Counter(values).most_common()
    if len(counts) < 2:
        return counts[0][0] if counts else "–"
    return "; ".join(f"{value} ({count} run{'s' * (count > 1)})" for value, count in counts)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())
