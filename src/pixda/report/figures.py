"""Figures of a report: drawn once, shown in the page as SVG in light and dark, kept as PNG and PDF for papers."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # files only: no window system is needed
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pixda.calibration import BINS, Calibration
from pixda.metrics import Scores
from pixda.report.curves import Panel
from pixda.report.frames import Box
from pixda.report.pictures import Captioned
from pixda.report.selections import Judgement

# Okabe and Ito's colours, told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LIGHT_INK, _DARK_INK = "#1c1f23", "#e6e6e3"
_SMALL = (3.4, 2.3)
"""Inches of a panel in the page: legible on a phone at its full width."""


@dataclass(frozen=True)
class Drawing:
    """A drawing in a page."""

    light: str
    dark: str
    """The same as SVG addresses, for light and for dark pages."""
    text: str
    """For who cannot see it."""


def drawn(draw: Callable[[Axes], None], text: str) -> Drawing:
    """One panel for the page."""
    with mpl.rc_context(_style(_LIGHT_INK) | {"svg.fonttype": "none", "svg.hashsalt": "pixda"}):
        figure = Figure(figsize=_SMALL, layout="constrained")
        draw(figure.subplots())
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    light = file.getvalue()
    dark = light.replace(_LIGHT_INK.encode(), _DARK_INK.encode())
    return Drawing(_address(light), _address(dark), text)


def _address(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _style(ink: str) -> dict[Any, Any]:
    inked = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink)
    quiet = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    return {**inked, **quiet, "font.family": "sans-serif", "font.size": 9, "legend.frameon": False}


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write ``<name>.png`` and ``<name>.pdf``, the same each time; returns the name."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=200)
    figure.set_layout_engine("none")  # the places are found, which takes longer than drawing
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
    return name


def side_by_side(draws: Sequence[Callable[[Axes], None]], across: int = 3) -> Figure:
    """Panels as one figure."""
    across = min(across, len(draws))
    down = -(-len(draws) // across)
    with mpl.rc_context(_style("black")):
        figure = Figure(figsize=(_SMALL[0] * across, _SMALL[1] * down), layout="constrained")
        cells = figure.subplots(down, across, squeeze=False).flat
        for draw, axes in zip(draws, cells, strict=False):
            draw(axes)
        for axes in list(figure.axes)[len(draws) :]:
            axes.set_visible(False)
    return figure


def curve_panel(panel: Panel) -> Callable[[Axes], None]:
    """Curves over optimiser steps; a dotted line is chance."""

    def draw(axes: Axes) -> None:
        for number, (name, (steps, values)) in enumerate(panel.curves.items()):
            style = "-" if number < len(COLOURS) else "--"
            axes.plot(steps, values, style, color=COLOURS[number % len(COLOURS)], linewidth=1.4, label=name)
        if panel.chance is not None:
            axes.axhline(panel.chance, color="grey", linestyle=":", linewidth=1, label="chance")
        axes.set_title(f"{panel.phase}: {panel.title}", fontsize=9)
        axes.set_xlabel("optimiser steps")
        if len(panel.curves) > 1 or panel.chance is not None:
            axes.legend(fontsize=7)

    return draw


def score_panel(judgement: Judgement) -> Callable[[Axes], None]:
    """The distribution of the scores in a selection, kept and dropped, with the threshold if it has one."""

    def draw(axes: Axes) -> None:
        kept = [score for name, score in judgement.scores.items() if name in judgement.kept]
        dropped = [score for name, score in judgement.scores.items() if name not in judgement.kept]
        bins = _bins([*kept, *dropped], judgement.delta)
        labels = [f"{len(dropped)} dropped", f"{len(kept)} kept"]
        axes.hist([dropped, kept], bins.tolist(), stacked=True, color=[COLOURS[4], COLOURS[0]], label=labels)
        if judgement.delta is not None:
            axes.axvline(judgement.delta, color="grey", linestyle="--", label=f"threshold {judgement.delta:g}")
        axes.set_title(judgement.title, fontsize=9)
        axes.set_xlabel("score, mean of −log P(source)")  # a minus sign, as on the axes
        axes.set_ylabel("source images")
        axes.legend(fontsize=7)

    return draw


def reliability_panel(title: str, calibration: Calibration) -> Callable[[Axes], None]:
    """The share of right pixels in each bin of confidence, faint where few pixels are; a dotted line is calibrated."""

    def draw(axes: Axes) -> None:
        width, most = 100 / BINS, max(calibration.count)
        for number, (right, count) in enumerate(zip(calibration.hits, calibration.count, strict=True)):
            height, shade = 100 * right / max(count, 1), 0.25 + 0.75 * count / most
            axes.bar(number * width, height, width, align="edge", color=COLOURS[0], edgecolor="white", alpha=shade)
        axes.plot([0, 100], [0, 100], color="grey", linestyle=":", linewidth=1)
        axes.set_title(f"{title}: ECE {100 * calibration.ece:.1f} %", fontsize=9, parse_math=False)
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("right, %")
        axes.set(xlim=(0, 100), ylim=(0, 100))

    return draw


def _bins(scores: Sequence[float], delta: float | None) -> np.ndarray:
    """Edges of thirty bins or so, the threshold among them: no bin holds kept and dropped images."""
    edges: np.ndarray = np.histogram_bin_edges(scores, 30)
    if delta is None:
        return edges
    width = edges[1] - edges[0]
    first, last = np.floor((edges[0] - delta) / width), np.ceil((edges[-1] - delta) / width)
    return np.asarray(delta + width * np.arange(first, last + 1))


def class_bars(runs: Mapping[str, Scores], order: Sequence[str], rare: Sequence[str]) -> Figure:
    """IoU of every class, a bar for each run; rare classes have a star."""
    first = next(iter(runs.values()))
    with mpl.rc_context(_style("black")):
        figure = Figure(figsize=(max(6, 0.55 * len(order) + 1), 3.6), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(runs)
        for number, (run, scores) in enumerate(runs.items()):
            heights = [100 * (scores.iou[name] or 0) for name in order]
            places = [place + (number + 0.5) * width - 0.4 for place in range(len(order))]
            axes.bar(places, heights, width, color=COLOURS[number % len(COLOURS)], label=run)
        labels = [f"{name}{'*' * (name in rare)}\n{100 * first.pixel_share[name]:.2g} %" for name in order]
        axes.set_xticks(range(len(order)), labels, rotation=60, ha="right", fontsize=8, parse_math=False)
        axes.set_ylabel("IoU, %")
        axes.grid(axis="x", visible=False)
        for text in figure.legend(loc="outside upper center", ncols=3, fontsize=8).get_texts():
            text.set_parse_math(False)
    return figure


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Shares of each true class, in percent."""
    matrix = np.array(counts, float)
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 1.5 + 0.38 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 1:
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 60 else "black")  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth; each row adds up to 100 %")
    return figure


def picture_grid(
    rows: Mapping[str, Sequence[Captioned]], heads: Sequence[str] = (), boxes: Mapping[str, Sequence[Box]] | None = None
) -> Figure:
    """Pictures in rows; heads above the first row, or each picture's own text where there are none."""
    across = max(len(row) for row in rows.values())
    ratio = next(iter(rows.values()))[0].picture
    width, height = 2.2, 2.2 * ratio.height / ratio.width + 0.22
    wide, high = width * across + 0.3, height * len(rows)
    figure = Figure(figsize=(wide, high))
    # Placed by hand: a layout that is solved for takes seconds for so many cells.
    edges = {"left": 0.3 / wide, "right": 1, "bottom": 0, "top": 1 - 0.42 / high}
    cells = figure.subplots(len(rows), across, squeeze=False, gridspec_kw={**edges, "wspace": 0.03, "hspace": 0.16})
    for line, ((side, pictures), row) in enumerate(zip(rows.items(), cells, strict=True)):
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
        row[0].set_ylabel(fill(side, 28), fontsize=7, parse_math=False)
        for column, (axes, one) in enumerate(zip(row, pictures, strict=False)):
            axes.imshow(np.asarray(one.picture.convert("RGB")), interpolation="nearest")
            if heads:
                axes.set_title(fill(heads[column], 28) if line == 0 else "", fontsize=8, parse_math=False)
            else:
                axes.set_title(one.text.rpartition(": ")[2][:40], fontsize=7, parse_math=False)
            for box in (boxes or {}).get(side, ()):
                size = one.picture.size
                place = (box.left * size[0] / 100 - 0.5, box.top * size[1] / 100 - 0.5)
                extent = (box.width * size[0] / 100, box.height * size[1] / 100)
                axes.add_patch(Rectangle(place, *extent, fill=False, edgecolor="white", linewidth=1.6))
                axes.add_patch(Rectangle(place, *extent, fill=False, edgecolor="black", linewidth=0.6))
    return figure
