"""The parts of a report: each looks at one thing, keeps its figures, and gives the page what it shows.

To add a figure to the report: draw it in ``figures.py``; save it in a function here (a panel that the page shows as a
drawing, too, goes through ``figures.drawn``); call that function in ``page.py``, whose ``content`` the templates read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixda.calibration import Calibration
from pixda.data.classes import ClassSet
from pixda.data.dataset import Sample, SegmentationDataset
from pixda.data.sources import Sources
from pixda.report import figures
from pixda.report.curves import Panel, panels
from pixda.report.figures import Drawing
from pixda.report.frames import ChosenFrames
from pixda.report.maps import Maps
from pixda.report.pictures import Captioned, captioned, captioned_mask
from pixda.report.runs import RunFolder
from pixda.report.selections import Judgement, gallery, judgements
from pixda.report.words import class_lines, confusion_lines, worst_confusions
from pixda.style import stylise

_EXAMPLES = 3


@dataclass(frozen=True)
class Curves:
    """One phase."""

    phase: str
    about: str
    drawings: list[Drawing]


def curves(run: RunFolder, folder: Path) -> list[Curves]:
    """The training curves, a figure for each phase."""
    found: dict[str, list[Panel]] = {}
    phases = {phase.name: phase for phase in run.training.recipe.phases()}
    for panel in panels(run.folder / "logs", phases):
        found.setdefault(panel.phase, []).append(panel)
    told = []
    for phase, parts in found.items():
        draws = [figures.curve_panel(panel) for panel in parts]
        figures.save(figures.side_by_side(draws, across=2), folder, f"curves_{phase}")
        drawings = [figures.drawn(draw, panel.words()) for draw, panel in zip(draws, parts, strict=True)]
        told.append(Curves(phase, phases[phase].about if phase in phases else "", drawings))
    return told


def selection(run: RunFolder, sources: Sources | None, folder: Path) -> dict[str, Any] | None:
    """What each selection kept, and the extremes of the first one of each source."""
    judged = judgements(run.folder / "logs")
    if not judged:
        return None
    draws = [figures.score_panel(one) for one in judged]
    figures.save(figures.side_by_side(draws), folder, "selection_scores")
    drawings = [figures.drawn(draw, _selected(one)) for draw, one in zip(draws, judged, strict=True)]
    firsts = [one for one in judged if one.epoch == judged[0].epoch]
    galleries = [gallery(one, sources) for one in firsts] if sources is not None else []
    for number, one in enumerate(galleries):
        figures.save(figures.picture_grid(one.rows), folder, f"selection_gallery{number or ''}")
    return {"judged": judged, "drawings": drawings, "galleries": galleries}


def _selected(one: Judgement) -> str:
    scores = sorted(one.scores.values())
    return (
        f"Scores {one.title}: {len(one.kept)} of {len(scores)} images are kept; the lowest score is {scores[0]:.2f}, "
        f"the middle one {scores[len(scores) // 2]:.2f}, the highest {scores[-1]:.2f}."
    )


def examples(sources: Sources | None, shots: SegmentationDataset | None) -> dict[str, list[Captioned]]:
    """A few source images and the shots, each with its labels."""
    rows: dict[str, list[Captioned]] = {}
    if sources is not None:
        places = [number * len(sources) // _EXAMPLES for number in range(min(_EXAMPLES, len(sources)))]
        rows["source"] = _with_labels([sources[place] for place in places], sources.datasets[0].classes)
    if shots is not None:
        some = [shots[index] for index in range(min(_EXAMPLES, len(shots)))]
        rows["target"] = _with_labels(some, shots.classes)
    return rows


def _with_labels(samples: Sequence[Sample], classes: ClassSet) -> list[Captioned]:
    """Image, labels, image, labels …"""
    pictures = []
    for one in samples:
        pictures += [captioned(one.image, one.name), captioned_mask(one.mask, classes, f"{one.name}: its labels")]
    return pictures


def style(run: RunFolder, sources: Sources, shots: SegmentationDataset, folder: Path) -> dict[str, Any] | None:
    """Source images before and after they took the style of a shot; None for a method that transfers none."""
    beta = getattr(run.training.recipe, "style_beta", 0.0)
    if not beta:
        return None
    rows = {}
    for number in range(min(_EXAMPLES, len(sources))):
        before = sources[number * len(sources) // _EXAMPLES]
        donor = shots[number % len(shots)]
        after = stylise(before.image[None].float(), donor.image[None].float(), beta)[0]
        rows[before.name] = [
            captioned(before.image, f"{before.name}: before"),
            captioned(donor.image, f"{donor.name}: gives the style"),
            captioned(after, f"{before.name}: after"),
        ]
    figures.save(figures.picture_grid(rows, ["before", "gives the style", "after"]), folder, "style")
    return {"rows": rows, "beta": beta}


def save_maps(maps: Maps, folder: Path) -> None:
    """The maps as a figure."""
    figures.save(figures.picture_grid(maps.rows), folder, "pixel_maps")


def save_frames(chosen: ChosenFrames, folder: Path) -> None:
    """The rows of frames as a figure, boxes around the small things."""
    rows = {row.rule: row.pictures for row in chosen.rows}
    boxes = {row.rule: row.boxes for row in chosen.rows}
    figures.save(figures.picture_grid(rows, chosen.heads, boxes), folder, "frames")


def classes(runs: Mapping[str, RunFolder], rare: Sequence[str], folder: Path) -> list[Any]:
    """The bars of every class."""
    scored = {title: run.scores for title, run in runs.items() if run.scores is not None}
    lines = class_lines(list(scored.values()), next(iter(runs.values())).classes.names, rare)
    figures.save(figures.class_bars(scored, [line.name for line in lines], rare), folder, "classes")
    return lines


def calibration(runs: Mapping[str, RunFolder], folder: Path) -> list[Drawing]:
    """A reliability diagram of every run that kept its pixels by confidence."""
    kept = {title: run.scores.calibration for title, run in runs.items() if run.scores and run.scores.calibration}
    draws = [figures.reliability_panel(title, one) for title, one in kept.items()]
    if draws:
        figures.save(figures.side_by_side(draws), folder, "calibration")
    return [figures.drawn(draw, _reliability(*one)) for draw, one in zip(draws, kept.items(), strict=True)]


def _reliability(title: str, one: Calibration) -> str:
    total = sum(one.count)
    return (
        f"{title}: expected calibration error {100 * one.ece:.1f} %; {100 * sum(one.confidence) / total:.1f} % "
        f"confident in the mean, and right on {100 * sum(one.hits) / total:.1f} % of the pixels."
    )


def confusion(run: RunFolder, counted: list[list[int]] | None, folder: Path) -> dict[str, Any] | None:
    """The confusion matrix that the run kept, or the one counted just now; None where there is neither."""
    counts = (run.scores.confusion if run.scores else None) or counted
    if counts is None:
        return None
    names = run.classes.names
    lines = confusion_lines(counts, names)
    figures.save(figures.confusion(counts, names), folder, "confusion")
    return {"lines": lines, "names": names, "worst": worst_confusions(lines, names)}
