"""Class-wise thresholds against sorting, as the rule is written."""

import math

import pytest
import torch

from pixda.pseudo_labels import STEPS, count, keep, likeliest, thresholds


def literal(labels, confidences, classes):
    """Sort each class's confidences; the one at round(0.66 n), at most 0.9, must be reached. Plain lists."""
    limits = []
    for c in range(classes):
        own = sorted(p for y, p in zip(labels, confidences, strict=True) if y == c)
        place = min(round(0.66 * len(own)), len(own) - 1)
        limits.append(min(own[place], 0.9) if own else 0.0)
    return [y if p >= limits[y] else 255 for y, p in zip(labels, confidences, strict=True)], limits


def confidence_of(probs):
    return [math.floor(max(p) * STEPS) / STEPS for p in probs]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sharpness", [0.5, 4.0, 30.0])
def test_the_kept_pixels_are_those_of_the_sorted_rule(seed, sharpness):
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(3, 4, 6, 7, generator=generator, dtype=torch.float64)
    logits[:, 3] = -50  # a class that is nowhere
    labels, confidences = likeliest(logits.log_softmax(1))
    probs = logits.softmax(1).movedim(1, -1).reshape(-1, 4).tolist()
    expected = [max(range(4), key=lambda c: p[c]) for p in probs]
    assert labels.flatten().tolist() == expected
    assert (confidences.flatten() / STEPS).tolist() == pytest.approx(confidence_of(probs), abs=1.01 / STEPS)

    counts = sum(count(one, sure, 4) for one, sure in zip(labels, confidences, strict=True))
    limits = thresholds(counts)
    masks, written = literal(expected, (confidences.flatten() / STEPS).tolist(), 4)
    assert (limits / STEPS).tolist() == pytest.approx(written)
    assert limits[3] == 0
    assert keep(labels, confidences, limits).flatten().tolist() == masks
    kept = [[y for y, m in zip(expected, masks, strict=True) if y == c and m != 255] for c in range(3)]
    assert all(kept), "of every class that is there something is kept"
    if sharpness < 1:
        assert 255 in masks


@pytest.mark.parametrize(
    ("confidences", "kept"),
    [
        ([0.3], 1),  # position round(0.66) = 1 is beyond the only one
        ([0.3, 0.5], 1),  # round(1.32) = 1
        ([0.3, 0.5, 0.7], 1),  # round(1.98) = 2
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.89], 3),  # round(6.6) = 7: the surest third
        ([0.5, 0.91, 0.92, 0.93, 0.94], 4),  # the cap: all from 0.9 on
        ([0.5, 0.9, 0.95, 0.96], 3),  # 0.9 itself reaches the cap
        ([0.4, 0.4, 0.4, 0.4], 4),  # equals share a fate
    ],
)
def test_small_cases_by_hand(confidences, kept):
    sure = torch.tensor([[round(p * STEPS) for p in confidences]]).view(1, 1, -1)
    labels = torch.zeros_like(sure)
    masks = keep(labels, sure, thresholds(count(labels, sure, 2)))
    assert int((masks == 0).sum()) == kept
    assert set(masks.flatten().tolist()) <= {0, 255}
    assert masks.dtype == torch.uint8


def test_confidence_never_leaves_the_table():
    certain = torch.zeros(1, 2, 1, 1).index_fill_(1, torch.tensor([0]), 200.0).log_softmax(1) + 1e-6
    assert likeliest(certain)[1].item() == STEPS
