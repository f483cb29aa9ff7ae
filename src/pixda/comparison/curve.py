"""The curve of a comparison: what one more labelled frame is worth to each method."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from pixda.comparison.results import Comparison, Group, by_split, grouped

# Okabe and Ito's colours, told apart with any kind of colour vision; their yellow is too pale for a line on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# As 7 and 13 have no divisor in common, 91 rows pass before a pair of colour and marker comes again.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h", "d")
_Line = Literal["-", ":", "-.", "--"]
_LINES: tuple[_Line, ...] = ("-", ":", "-.")
"""For the first seven rows, the second and the third: dotted is told from the dashes of flat rows."""
_INCHES = 8.0
_LONGEST = 44
_ASIDE, _AT_MOST = 0.35, 0.08
"""What the rows of one tick share: a part of the way to the next tick, and at most one of the whole axis."""


class _Style(NamedTuple):
    """How a row is drawn."""

    colour: str
    marker: str
    line: _Line
    aside: float
    """-0.5..0.5: so that the bars of rows with like scores stand beside each other."""
    flat: bool
    """No labelled frame went into it."""


def curve(comparison: Comparison) -> Figure:
    """Mean IoU over all classes against the number of labelled target frames: a panel a split, a line a row.

    Bars and bands are one sample standard deviation to each side. A pale marker is a mean over fewer seeds than
    planned. A row that no labelled frame went into is a dashed line across. What has no scores is left out. Legible
    from 800 pixels of width on.
    """
    splits = {split: [group for group in groups if group.scored] for split, groups in by_split(comparison).items()}
    splits = {split: groups for split, groups in splits.items() if groups}
    groups = [group for inside in splits.values() for group in inside]
    styles = _styles(groups)
    across = 2 if len(splits) > 1 else 1
    down = max(1, math.ceil(len(splits) / across))
    columns = 2 if max(map(len, styles), default=0) > 28 else 3
    height = down * (4.4 if across == 1 else 3.4) + 0.2 * math.ceil(len(styles) / columns) + 0.3
    figure = Figure(figsize=(_INCHES, height), layout="constrained")
    pale = "" if all(group.complete for group in groups) else " (pale: not all seeds)"
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, (split, inside) in zip(panels.flat, splits.items(), strict=False):
        folds = comparison.folds.get(split)
        title = [split, f"means over {folds} folds of the shots, no test set" if folds else ""]
        axes.set_title("\n".join(filter(None, title)), fontsize=10, parse_math=False)
        axes.set_xlabel(f"labelled target frames{pale}")
        _panel(axes, inside, styles)
    for axes in panels.flat[max(1, len(splits)) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(f"mean IoU of {len(comparison.classes.names)} classes, %")
    if groups:
        _legend(figure, styles, columns)
    else:
        panels[0, 0].text(0.5, 0.5, "nothing has scores yet", ha="center", transform=panels[0, 0].transAxes)
        panels[0, 0].set(xticks=[], yticks=[])
    return figure


def _styles(groups: Sequence[Group]) -> dict[str, _Style]:
    rows = list(dict.fromkeys(group.row for group in groups))
    flat = set(rows) - {group.row for group in groups if group.frames}
    return {
        row: _Style(
            _COLOURS[place % len(_COLOURS)],
            _MARKERS[place % len(_MARKERS)],
            "--" if row in flat else _LINES[place // len(_COLOURS) % len(_LINES)],
            (place + 0.5) / len(rows) - 0.5,
            row in flat,
        )
        for place, row in enumerate(rows)
    }


def _panel(axes: Axes, groups: Sequence[Group], styles: dict[str, _Style]) -> None:
    ticks = sorted({group.frames for group in groups if group.frames})
    logarithmic = bool(ticks) and ticks[-1] > 12 * ticks[0]
    axes.set_xscale("log" if logarithmic else "linear")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", linewidth=0.5, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    bend, straighten = (math.log, math.exp) if logarithmic else (float, float)
    places = [bend(tick) for tick in ticks]
    gaps = [_ASIDE * (right - left) for left, right in pairwise(places)]
    room = min([*gaps, _AT_MOST * (places[-1] - places[0])]) if gaps else _AT_MOST
    for row, of_row in grouped(groups, lambda group: group.row).items():
        style = styles[row]
        if style.flat:
            # Shots change nothing in it: of its equal groups, the one that most seeds speak for.
            group = max(of_row, key=lambda group: group.scored)
            middle, std = _percents(group)
            axes.axhline(middle, color=style.colour, linestyle=style.line, linewidth=1.2)
            if not math.isnan(std):
                axes.axhspan(middle - std, middle + std, color=style.colour, alpha=0.07, linewidth=0)
            continue
        points = sorted((group for group in of_row if group.frames), key=lambda group: group.frames or 0)
        x = [straighten(bend(group.frames or 1) + room * style.aside) for group in points]
        y, bars = zip(*map(_percents, points), strict=True)
        axes.errorbar(x, y, bars, color=style.colour, fmt="none", elinewidth=0.8, capsize=1.5, alpha=0.5)
        axes.plot(x, y, color=style.colour, linestyle=style.line, linewidth=1.3)
        for group, across, up in zip(points, x, y, strict=True):
            alpha = 1 if group.complete else 0.35
            axes.plot(across, up, style.marker, color=style.colour, markersize=5, alpha=alpha)


def _percents(group: Group) -> tuple[float, float]:
    """Mean and standard deviation over all classes, the first of a class set's protocols; NaN for one seed's."""
    spread = next(iter(group.mean.values()))
    return 100 * (spread.mean or 0), math.nan if spread.std is None else 100 * spread.std


def _legend(figure: Figure, styles: dict[str, _Style], columns: int) -> None:
    handles = [
        Line2D([], [], color=s.colour, linewidth=1.3, linestyle=s.line, marker="" if s.flat else s.marker, markersize=5)
        for s in styles.values()
    ]
    names = [row if len(row) <= _LONGEST else f"{row[: _LONGEST - 1]}…" for row in styles]
    # Names are set afterwards: as labels, those that begin with "_" would be left out, and "$" would mean formulas.
    legend = figure.legend(
        handles, ["-"] * len(names), loc="outside lower center", ncols=columns, fontsize=9, frameon=False
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
