"""Several runs, or the folder of a comparison, as tables with a curve: made by the comparison, shown in the page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from pixda.comparison.grid import Cell
from pixda.comparison.results import Comparison, Result
from pixda.comparison.tables import write
from pixda.methods import METHODS
from pixda.report.runs import RunFolder

_FILES = ("table.md", "protocol.md", "curve.png", "curve.pdf")


@dataclass(frozen=True)
class Study:
    """What a comparison wrote, for the page."""

    table: Markup
    protocol: Markup
    curve: str
    """The address of the picture."""
    folder: Path


def is_comparison(folder: Path) -> bool:
    """Whether this is a folder of ``pixda compare``."""
    return all((folder / name).is_file() for name in _FILES)


def read_study(folder: Path) -> Study:
    """What is in the folder of a comparison."""
    # Raw HTML is off by "js-default", and nothing may point elsewhere.
    reader = MarkdownIt("js-default").disable(["image", "link", "autolink"])
    table, protocol = (
        Markup(reader.render((folder / name).read_text(encoding="utf-8"))) for name in ("table.md", "protocol.md")
    )
    picture = base64.b64encode((folder / "curve.png").read_bytes()).decode()
    return Study(table, protocol, f"data:image/png;base64,{picture}", folder)


def study_of(runs: Mapping[str, RunFolder], shares: Mapping[str, float] | None, folder: Path) -> Study:
    """The tables of these finished runs, written into ``folder`` as a comparison would."""
    results = []
    shots_seen = sorted({_shots(one) for one in runs.values() if _learns(one)}) or [1]
    rows = _rows(runs)
    for name, run in runs.items():
        experiment = run.training.experiment
        frames = len(set(run.shots)) if _learns(run) else 0
        # A method that sees no shot stands in the line of every number of shots.
        for shots in [_shots(run)] if _learns(run) else shots_seen:
            cell = Cell("", rows[name], shots, experiment.seed)
            results.append(Result(cell, frames, run.scores, None, run.made))
    first = next(iter(runs.values()))
    write(Comparison("The runs together", results, first.classes, {"": dict(shares or {})}, {}), folder)
    return read_study(folder)


def _shots(run: RunFolder) -> int:
    """Shots of each city; of a run that took all labelled frames, their number."""
    shots = run.training.experiment.target.shots
    return len(set(run.shots)) if shots == "all" else shots


def _rows(runs: Mapping[str, RunFolder]) -> dict[str, str]:
    """Run -> the row it stands in: runs that differ only in seed and shots share one."""
    labels: dict[tuple[str, str], str] = {}
    rows = {}
    for name, run in runs.items():
        key = (run.training.method, repr(run.training.recipe))
        taken = [label for other, label in labels.items() if other != key]
        labels.setdefault(key, name if run.title in taken else run.title)
        rows[name] = labels[key]
    return rows


def _learns(run: RunFolder) -> bool:
    return METHODS[run.training.method].learns_from_shots
