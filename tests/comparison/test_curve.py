"""The curve: drawn, then read off the figure again."""

from dataclasses import replace

import numpy as np
import pytest

from comparisons import METHODS, result, scores, study
from pixda.comparison.curve import curve
from pixda.comparison.grid import Cell
from pixda.comparison.results import Comparison, summarise
from pixda.data.classes import ClassSet

CAMVID = ClassSet.load("camvid-11")


def lines(axes):
    """The lines that connect points; to matplotlib, single markers and the caps of bars are lines, too."""
    return [line for line in axes.lines if len(line.get_xdata()) > 1 and line.get_linestyle() != "None"]


def one_row(*groups):
    """A comparison of one row: (shots, frames, IoU of each seed, seeds in all)."""
    cells = [
        result(Cell("", "row", k, seed), scores(CAMVID, dict.fromkeys(CAMVID.names, ious[seed])), frames)
        if seed < len(ious)
        else result(Cell("", "row", k, seed), failure="it broke")
        for k, frames, ious, seeds in groups
        for seed in range(seeds)
    ]
    return Comparison("", cells, CAMVID, {}, {})


def test_the_points_are_the_means_at_the_number_of_frames():
    comparison = study(methods={"source only": (31, 0), "PixDA": (50, 1)}, shots=(5, 1, 2))
    (axes,) = curve(comparison).axes
    means = {(g.row, g.shots): 100 * g.mean["19"].mean for g in summarise(comparison)}
    flat, rising = lines(axes)
    assert flat.get_linestyle() == "--"
    assert set(flat.get_ydata()) == {means["source only", 1]}
    assert list(rising.get_ydata()) == pytest.approx([means["PixDA", k] for k in (1, 2, 5)])
    assert list(rising.get_xdata()) == pytest.approx([18, 36, 90], abs=0.35 * 18 / 2)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["18", "36", "90"]


def test_bars_reach_one_deviation_to_each_side():
    (axes,) = curve(one_row((1, 3, (0.40, 0.44), 2), (2, 6, (0.50, 0.56), 2))).axes
    bars = axes.collections[0].get_segments()
    halves = [(bar[1][1] - bar[0][1]) / 2 for bar in bars]
    assert halves == pytest.approx([100 * 0.04 / 2**0.5, 100 * 0.06 / 2**0.5])


def test_one_seed_has_no_bar():
    (axes,) = curve(one_row((1, 3, (0.40,), 1), (2, 6, (0.50, 0.56), 2))).axes
    lone, both = axes.collections[0].get_segments()
    assert not len(lone) or np.isnan(lone[:, 1]).all()
    assert both[:, 1] == pytest.approx([53 - 6 / 2**0.5, 53 + 6 / 2**0.5])


def test_one_number_of_shots_is_a_point():
    (axes,) = curve(one_row((1, 3, (0.4, 0.6), 2))).axes
    (point,) = [line for line in axes.lines if line.get_marker() not in ("None", "", "|", "_")]
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([3], pytest.approx([50]))


def test_a_mean_of_fewer_seeds_is_pale_and_the_axis_says_so():
    (axes,) = curve(one_row((1, 3, (0.4, 0.6), 2), (2, 6, (0.5,), 2), (3, 9, (), 2))).axes
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [point.get_alpha() < 1 for point in points] == [False, True]
    assert "pale" in axes.get_xlabel()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["3", "6"]


def test_the_flat_line_is_of_the_group_with_most_seeds():
    (axes,) = curve(one_row((1, None, (0.4,), 2), (2, 0, (0.5, 0.7), 2))).axes
    (flat,) = axes.lines
    assert list(flat.get_ydata()) == pytest.approx([60, 60])


def test_far_numbers_of_frames_are_spread_by_their_logarithm():
    assert curve(one_row((1, 3, (0.4,), 1), (99, 300, (0.5,), 1))).axes[0].get_xscale() == "log"
    assert curve(one_row((1, 3, (0.4,), 1), (5, 15, (0.5,), 1))).axes[0].get_xscale() == "linear"


def test_a_panel_for_each_split():
    panels = curve(study(methods={"PixDA": (50, 1)}, splits=("near", "far", "night"))).axes
    assert [axes.get_title() for axes in panels if axes.get_visible()] == ["near", "far", "night"]


@pytest.mark.parametrize("splits", [("",), ("near", "far")])
def test_the_legend_covers_no_line_and_its_rows_look_apart(splits):
    figure = curve(study(splits=splits))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert [text.get_text() for text in legend.get_texts()] == list(METHODS)
    looks = {(h.get_color(), h.get_marker(), h.get_linestyle()) for h in legend.legend_handles}
    assert len(looks) == len(METHODS)


def test_names_that_are_no_formulas(tmp_path):
    comparison = study(methods={"$x_{": (30, 1), "_hidden": (40, 1), "a" * 99: (50, 1)}, splits=("$\\frac{",))
    figure = curve(comparison)
    figure.savefig(tmp_path / "curve.png")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["$x_{", "_hidden", "a" * 43 + "…"]


def test_nothing_scored_yet(tmp_path):
    comparison = study(methods={"PixDA": (50, 1)})
    waiting = replace(comparison, results=[replace(one, scores=None, frames=None) for one in comparison.results])
    figure = curve(waiting)
    figure.savefig(tmp_path / "curve.png")
    assert figure.axes[0].texts[0].get_text() == "nothing has scores yet"
