"""Selection against the equation, and what users rely on: ever fewer images, none lost by the way."""

import math

import pytest
import torch

from pixda.selection import Threshold, Top, score, threshold


def test_score_is_the_mean_of_minus_log_p_source():
    z = torch.tensor([[0.3, -2.0], [1.5, 0.0]], dtype=torch.float64).view(1, 1, 2, 2)
    p_source = [1 - 1 / (1 + math.exp(-v)) for v in z.flatten().tolist()]
    assert score(z).item() == pytest.approx(sum(-math.log(p) for p in p_source) / 4, rel=1e-6)


def test_thresholds_double_or_grow_by_the_first():
    assert [threshold(0.4, "double", k) for k in (1, 2, 3)] == pytest.approx([0.4, 0.8, 1.6])
    assert [threshold(0.4, "add", k) for k in (1, 2, 3)] == pytest.approx([0.4, 0.8, 1.2])


def test_a_score_at_the_threshold_does_not_exceed_it():
    assert Threshold(0.5).keep({"below": 0.25, "at": 0.5, "above": 0.75}) == ["above"]


def literal_top(scores, top):
    """Rank all pairs by hand: an image is ahead of another by a higher score, or by its name at equal scores.

    A share is taken by its digits: 0.29 of 100 images are 29, which floats would make 28.999....
    """
    count = min(int(top), len(scores)) if top >= 1 else 0
    while top < 1 and (count + 1) * 1000 <= round(top * 1000) * len(scores):
        count += 1
    ahead = {n: sum(s > scores[n] or (s == scores[n] and o < n) for o, s in scores.items()) for n in scores}
    return [name for name in scores if ahead[name] < count]


@pytest.mark.parametrize("top", [0.001, 0.29, 0.333, 0.5, 0.57, 0.999, 1, 2, 7, 100, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_the_top_is_what_ranking_by_hand_gives(top, count):
    generator = torch.Generator().manual_seed(count)
    values = torch.randint(0, 4, (count,), generator=generator) / 4  # many ties
    names = [f"n{number}" for number in torch.randperm(count, generator=generator).tolist()]
    scores = dict(zip(names, values.tolist(), strict=True))
    assert Top(top).keep(scores) == literal_top(scores, top)


@pytest.mark.parametrize(
    ("rule", "told"),
    [(Threshold(0.4), "score > 0.4"), (Top(0.5), "the top 50 %"), (Top(1), "the top 1"), (Top(120.0), "the top 120")],
)
def test_a_rule_says_what_it_does(rule, told):
    assert str(rule) == told
