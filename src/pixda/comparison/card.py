"""The protocol card: what the numbers of a comparison rest on, for whoever wants to believe or repeat them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pixda.comparison.layout import folds_note, rare_note
from pixda.comparison.markup import markdown_table, markdown_text
from pixda.comparison.results import Comparison
from pixda.comparison.summary import progress

WEIGHTS = "The last ones of every run; none was chosen by its score."
"""Which weights are scored; true of every run that PixDA makes."""

Account = Mapping[str, Any]
"""What ``model.json`` says of the making of one model."""


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
        _table(["", ""], [*comparison.protocol.items(), *_common(comparison, accounts)]),
        "## Data",
        _table(
            ["split", "source", "target", "scored on", "shots"],
            [_data(comparison, *item) for item in of_splits.items()],
        ),
        *(markdown_text(f"{split}: {note}" if split else note) for split, note in notes if note),
        "## Methods",
        _table(
            ["row", "method", "departures from the preset", "optimiser steps", "first weights"],
            [_method(*item) for item in of_rows.items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


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


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_table(heads, ([markdown_text(cell) for cell in row] for row in rows), len(heads))
