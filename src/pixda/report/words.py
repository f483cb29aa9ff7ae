"""What a run says of itself in numbers and words: headline, classes, confusions, protocol, commands."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pixda.comparison.results import rare_classes, rare_mean
from pixda.config import plain
from pixda.metrics import Scores, percent
from pixda.report.runs import RunFolder

PRESETS = {
    "demo": "This is the demo's preset: a tiny budget. It shows that everything works, not how good the method is.",
    "laptop": "This is the preset for two cores and half an hour: a few hundred steps.",
    "one_gpu": "This is the preset for one GPU: about ten times the images of a laptop's.",
    "small": "This is the preset for small machines: a small network and a few hundred steps. The paper's numbers come "
    "from a larger network and tens of thousands.",
}
"""Preset -> what to keep in mind."""


class Line(NamedTuple):
    """One run in the headline."""

    title: str
    miou: str
    rare: str
    accuracy: str
    width: float
    """Of its bar, percent."""
    ahead: str
    """How far the report's run is ahead of it, in points ("+2.8"); "" for that run itself."""


def headline(runs: Mapping[str, RunFolder], rare: Sequence[str]) -> list[Line]:
    """The runs with scores, the report's own first."""
    scored = {title: run.scores for title, run in runs.items() if run.scores is not None}
    lines = []
    own = next(iter(scored.values()))
    for title, scores in scored.items():
        ahead = "" if scores is own else f"{100 * (own.miou - scores.miou):+.1f}".replace("-", "−")
        lines.append(
            Line(title, percent(scores.miou), percent(rare_mean(scores, rare)), percent(scores.pixel_accuracy),
                 round(100 * scores.miou, 2), ahead)
        )  # fmt: skip
    return lines


NOISE = 2.0
"""Points of mIoU below which two runs of one seed are not told apart: three seeds scattered by 1 to 2 points on CamVid
(docs/results/systems.md)."""


def verdict(means: Mapping[str, float], own: str) -> str:
    """Whether ``own`` is the one to take among runs, by how much, and whether that is more than the noise of one seed.

    Args:
        means: title -> mIoU, 0..1.
        own: the title that the sentence is about.
    """
    if len(means) == 1:
        return f"{own} reaches {100 * means[own]:.1f} % mIoU; no other run was given to compare it with."
    best = max(means, key=lambda title: means[title])
    rival = max((title for title in means if title != own), key=lambda title: means[title])
    lead = 100 * (means[own] - means[rival])
    if abs(lead) < NOISE:
        return (
            f"{own} ({100 * means[own]:.1f} % mIoU) is level with {rival} ({lead:+.1f} points): within the noise of "
            f"one seed, {NOISE:g} points. Take the simpler of the two, or compare over seeds."
        )
    if best == own:
        return f"Take {own}: {100 * means[own]:.1f} % mIoU, {lead:.1f} points over {rival}, the next best."
    return f"{own} ({100 * means[own]:.1f} % mIoU) is {-lead:.1f} points behind {rival}: take {rival}."


class ClassLine(NamedTuple):
    """One class in the bars."""

    number: int
    """Of the class, in the order of the class set."""
    name: str
    share: str
    """Of the scored pixels, percent."""
    rare: bool
    values: list[tuple[str, float]]
    """Of each run: IoU in percent as text, and the width of its bar."""


def class_lines(scores: Sequence[Scores], names: Sequence[str], rare: Sequence[str]) -> list[ClassLine]:
    """Classes with ground truth, from the most to the least common."""
    first = scores[0]
    order = sorted((n for n in names if first.iou[n] is not None), key=lambda n: -first.pixel_share[n])
    return [
        ClassLine(
            list(names).index(name), name, f"{100 * first.pixel_share[name]:.2g}", name in rare,
            [(percent(one.iou[name]), round(100 * (one.iou[name] or 0), 2)) for one in scores],
        )
        for name in order
    ]  # fmt: skip


def small_classes(scores: Scores | None, shares: Mapping[str, float] | None) -> list[str]:
    """The rare classes; where there are none, or it is not known, the two with the fewest scored pixels."""
    if shares is not None and (rare := rare_classes(shares)):
        return list(rare)
    present = {name: share for name, share in scores.pixel_share.items() if share > 0} if scores else {}
    return sorted(present, key=lambda name: present[name])[:2]


class ConfusionLine(NamedTuple):
    """A row of the confusion matrix: a true class and what became of its pixels, percent."""

    name: str
    number: int
    """Of the class, in the order of the class set."""
    cells: list[tuple[str, float]]


def confusion_lines(counts: Sequence[Sequence[int]], names: Sequence[str]) -> list[ConfusionLine]:
    """A line for each class that has pixels."""
    lines = []
    for index, row in enumerate(counts):
        if total := sum(row):
            shares = [100 * count / total for count in row]
            lines.append(ConfusionLine(names[index], index, [(f"{s:.0f}" if s >= 0.5 else "", s) for s in shares]))
    return lines


def worst_confusions(lines: Sequence[ConfusionLine], names: Sequence[str]) -> list[str]:
    """The three largest losses of one class to another, in words."""
    losses = [
        (share, line.name, names[column])
        for line in lines
        for column, (_, share) in enumerate(line.cells)
        if column != line.number
    ]
    return [f"{share:.0f} % of the {truth} is called {said}" for share, truth, said in sorted(losses, reverse=True)[:3]]


def protocol(run: RunFolder) -> dict[str, str]:
    """The card: what the numbers rest on."""
    experiment = run.training.experiment
    target = experiment.target
    width, height = experiment.size
    made: Mapping[str, Any] = run.made or {}
    sources = "; ".join(f"{one.dataset}, split {one.split}, {one.root}" for one in experiment.sources())
    card = {
        "method": f"{run.title}, preset {run.training.preset}",
        "departures from the preset": _listed(made.get("departures", {})) or "none",
        "source": sources,
        "target": f"{target.dataset}, split {target.split}, {target.root}",
        "labelled real frames": f"{len(run.shots)}: {', '.join(run.shots[:6])}{', …' * (len(run.shots) > 6)}",
        "classes": f"{run.classes.name}, {len(run.classes.names)}",
        "image size": f"{width} × {height} (width × height)",
        "network": experiment.network.architecture,
        "seed": str(experiment.seed),
    }
    if run.made is None:
        return card
    means = run.scores.mean if run.scores else {}
    return card | {
        "first weights": made["first_weights"],
        "optimiser steps": _listed(made["steps"]),
        "time": f"{made['seconds']} s",
        "machine": _listed(made["machine"]),
        "PixDA": f"{made['version']}, code {made.get('code', 'not recorded')}",
        "scored on": _scored_on(run),
        "scored weights": "the last ones; none was chosen by its score",
        "mIoU": ", ".join(f"{percent(mean)} over {name} classes" for name, mean in means.items()),
    }


def _scored_on(run: RunFolder) -> str:
    frames = run.scored["frames"]
    if run.training.experiment.target.test_split is None:
        return f"{frames} shots that were held out of its training (one fold); there is no test set"
    return f"split {run.scored['split']}, {frames} frames, at their stored size"


def commands(run: RunFolder, runs: Sequence[Path], out: Path) -> list[str]:
    """What makes the run again, scores it, and makes this report."""
    target = run.training.experiment.target
    first = run.training.experiment.start_from
    train = [["pixda", "train", "--config", f"{one}/config.yaml", "--out", str(one)]
             for one in ([first] if first else []) + [run.folder]]  # fmt: skip
    evaluate = ["pixda", "evaluate", "--model", str(run.folder), f"--data.dataset={target.dataset}"]
    evaluate += [f"--data.root={target.root}", f"--data.split={target.test_split}"]
    evaluate += [f"--data.scheme={target.scheme}"] if target.scheme else []
    if target.dataset == "streets":
        evaluate.append(f"--data.streets={json.dumps(plain(asdict(target.streets)))}")
    report = ["pixda", "report", *map(str, runs), "--out", str(out)]
    scored = [] if target.test_split is None else [evaluate]
    return [shlex.join(words) for words in (*train, *scored, report)]


def config_text(run: RunFolder) -> str:
    """The run's configuration, for who has only the page."""
    text = (run.folder / "config.yaml").read_text(encoding="utf-8")
    return yaml.safe_dump(yaml.safe_load(text), sort_keys=False)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())
