"""Seeds put together: against sums written out by hand."""

import math
from dataclasses import replace

import pytest

from comparisons import result, scores, shares, study
from pixda.comparison.grid import Cell
from pixda.comparison.results import (
    RARE_SHARE,
    Comparison,
    Failure,
    failures,
    progress,
    rare_classes,
    rare_mean,
    summarise,
)
from pixda.data.classes import ClassSet

CITYSCAPES = ClassSet.load("cityscapes-19")
CAMVID = ClassSet.load("camvid-11")


def ious(classes, start, absent=()):
    """Class number c has IoU start + c / 100; the absent ones have none."""
    return {name: None if name in absent else start + c / 100 for c, name in enumerate(classes.names)}


def compared(results, classes=CITYSCAPES):
    splits = {one.cell.split for one in results}
    return Comparison("a title", results, classes, {split: shares(classes) for split in splits}, {})


def test_three_seeds_by_hand():
    starts = (0.31, 0.37, 0.40)
    cells = [result(Cell("", "PixDA", 1, s), scores(CITYSCAPES, ious(CITYSCAPES, x)), 18) for s, x in enumerate(starts)]
    (group,) = summarise(compared(cells))

    def mean_and_std(values):
        mean = sum(values) / 3
        return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / 2)

    wall = group.iou["wall"]  # class 3
    assert (wall.mean, wall.std) == pytest.approx(mean_and_std([x + 0.03 for x in starts]), rel=1e-12)
    for protocol, members in (("19", range(19)), ("13", [0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18])):
        by_hand = [sum(x + c / 100 for c in members) / len(members) for x in starts]
        assert (group.mean[protocol].mean, group.mean[protocol].std) == pytest.approx(mean_and_std(by_hand), rel=1e-12)
    rare = [3, 4, 6, 7, 12, 14, 15, 16, 17, 18]
    by_hand = [sum(x + c / 100 for c in rare) / 10 for x in starts]
    assert (group.rare.mean, group.rare.std) == pytest.approx(mean_and_std(by_hand), rel=1e-12)
    assert (group.rare.count, group.state, group.frames, group.complete) == (3, "3 seeds", 18, True)


def test_one_seed_has_no_deviation():
    (group,) = summarise(compared([result(Cell("", "PixDA", 1, 7), scores(CAMVID, ious(CAMVID, 0.2)), 3)], CAMVID))
    assert group.mean["11"].mean == pytest.approx(0.25)
    assert group.mean["11"].std is None
    assert group.iou["sky"].std is None
    assert group.state == "1 seed"


def test_the_mean_over_rare_classes_leaves_out_those_without_ground_truth():
    found = scores(CITYSCAPES, ious(CITYSCAPES, 0.1, absent=("train", "bus")))
    assert rare_mean(found, ("wall", "train", "bus", "rider")) == pytest.approx((0.13 + 0.22) / 2)
    assert rare_mean(found, ("train",)) is None
    assert rare_mean(found, ()) is None
    (group,) = summarise(compared([result(Cell("", "a", 1, 0), found)]))
    assert group.iou["train"].mean is None
    assert group.iou["train"].count == 0
    assert group.rare.mean == pytest.approx(sum((0.13, 0.14, 0.16, 0.17, 0.22, 0.24, 0.27, 0.28)) / 8)


def test_missing_seeds_are_counted_and_never_hidden():
    found = scores(CAMVID, ious(CAMVID, 0.2))
    cells = [
        result(Cell("", "some", 1, 0), found, 3),
        result(Cell("", "some", 1, 1), failure="it broke", frames=3),
        result(Cell("", "some", 1, 2), found, 3),
        result(Cell("", "none", 1, 0), failure="it broke"),
        result(Cell("", "none", 1, 1)),
        result(Cell("", "later", 1, 0)),
        result(Cell("", "later", 1, 1)),
    ]
    some, none, later = summarise(compared(cells, CAMVID))
    assert (some.state, some.scored, some.complete) == ("2 of 3 seeds", 2, False)
    assert some.mean["11"].count == 2
    assert (none.state, none.mean["11"].mean, none.frames) == ("failed", None, None)
    assert (later.state, later.rare.count) == ("not run", 0)
    assert progress(compared(cells, CAMVID)) == "2 of 7 runs have scores, 2 failed, 3 not run yet."


def test_groups_are_apart_and_in_the_order_of_the_grid():
    groups = summarise(study(methods={"b": (30, 1), "a": (20, 0)}, shots=(5, 1), splits=("night", "day")))
    assert [(group.split, group.shots, group.row) for group in groups] == [
        (split, k, row) for split in ("night", "day") for k in (5, 1) for row in ("b", "a")
    ]
    assert all(len(group.results) == 3 for group in groups)


def test_a_split_whose_pixels_nobody_counted_has_no_rare_mean():
    bare = replace(study(methods={"a": (30, 1)}), shares={})
    assert {group.rare.count for group in summarise(bare)} == {0}


def test_seeds_that_failed_alike_are_told_once():
    cells = [result(Cell("", "a", 1, seed), failure="no room" if seed < 2 else "no light") for seed in range(3)]
    assert failures(compared(cells)) == [
        Failure("", "a", 1, [0, 1], "no room"),
        Failure("", "a", 1, [2], "no light"),
    ]


def test_the_rare_classes_of_cityscapes_are_these_ten():
    found = rare_classes(shares(CITYSCAPES))
    assert " ".join(found) == "wall fence traffic light traffic sign rider truck bus train motorcycle bicycle"


def test_a_class_at_the_limit_is_not_rare_and_one_without_pixels_is_absent():
    assert rare_classes({"a": 0.0, "b": RARE_SHARE, "c": 1e-9, "d": 0.5, "e": RARE_SHARE - 1e-9}) == ("c", "e")
