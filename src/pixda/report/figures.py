"""Figures of one or several runs: IoU bars and training curves."""

import csv
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # files only: no window system is needed
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pixda.metrics import Scores


def class_bars(path: Path, runs: Mapping[str, Scores]) -> None:
    """IoU of every class, a bar for each run, common classes left and rare ones right.

    Args:
        path: PNG file to write.
        runs: name -> scores on one and the same set of frames.
    """
    first = next(iter(runs.values()))
    order = sorted(
        (name for name, iou in first.iou.items() if iou is not None), key=lambda n: first.pixel_share[n], reverse=True
    )
    figure, axes = plt.subplots(figsize=(11, 3.6))
    width = 0.8 / len(runs)
    for number, (run, scores) in enumerate(runs.items()):
        heights = [100 * (scores.iou[name] or 0) for name in order]
        axes.bar([i + (number + 0.5) * width - 0.4 for i in range(len(order))], heights, width, label=run)
    labels = [f"{name}\n{100 * first.pixel_share[name]:.2g} %" for name in order]
    axes.set_xticks(range(len(order)), labels, rotation=60, ha="right", fontsize=8)
    axes.set_ylabel("IoU, %")
    axes.set_title("IoU by class, from the most to the least common (share of the scored pixels below the name)")
    axes.legend()
    _save(figure, path)


def loss_curves(path: Path, logs: Path) -> None:
    """Every logged value of a run over its steps, a panel for each phase.

    Args:
        path: PNG file to write.
        logs: the run's ``logs`` folder.
    """
    files = sorted(
        (f for f in logs.glob("*.csv") if not f.stem.startswith("selection_")), key=lambda f: f.stat().st_mtime
    )
    figure, panels = plt.subplots(1, len(files), figsize=(4 * len(files), 3.2), squeeze=False)
    for axes, file in zip(panels[0], files, strict=True):
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        for name in rows[0].keys() - {"step", "epoch", "lr"}:
            there = [row for row in rows if row[name]]  # the critic of a source that drops out has no loss any more
            steps = [int(row["step"]) for row in there]
            axes.plot(steps, [float(row[name]) for row in there], label=name.replace("_", " "))
        axes.set_title(file.stem)
        axes.set_xlabel("optimiser steps")
        axes.legend(fontsize=7)
    _save(figure, path)


def score_histogram(path: Path, selections: Mapping[str, Path]) -> None:
    """Distribution of the scores in each selection, with its threshold if it has one.

    Args:
        path: PNG file to write.
        selections: title -> ``selection_<epoch>.csv`` of a run.
    """
    figure, panels = plt.subplots(1, len(selections), figsize=(4 * len(selections), 2.8), squeeze=False)
    for axes, (title, file) in zip(panels[0], selections.items(), strict=True):
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        kept = sum(int(row["kept"]) for row in rows)
        rule = ""
        axes.hist([float(row["score"]) for row in rows], bins=30)
        if "delta" in rows[0]:
            delta = float(rows[0]["delta"])
            axes.axvline(delta, color="black", linestyle="--")
            rule = f" (right of {delta:g})"
        axes.set_title(f"{title}: {kept} of {len(rows)} stay{rule}", fontsize=9)
        axes.set_xlabel("mean of -log P(source)")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
