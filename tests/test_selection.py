"""Selection against the equation, and what users rely on: ever fewer images, none lost by the way."""

import math

import pytest
import torch

from pixda.selection import score, select, threshold


def test_score_is_the_mean_of_minus_log_p_source():
    z = torch.tensor([[0.3, -2.0], [1.5, 0.0]], dtype=torch.float64).view(1, 1, 2, 2)
    p_source = [1 - 1 / (1 + math.exp(-v)) for v in z.flatten().tolist()]
    assert score(z).item() == pytest.approx(sum(-math.log(p) for p in p_source) / 4, rel=1e-6)


def test_thresholds_double_or_grow_by_the_first():
    assert [threshold(0.4, "double", k) for k in (1, 2, 3)] == pytest.approx([0.4, 0.8, 1.6])
    assert [threshold(0.4, "add", k) for k in (1, 2, 3)] == pytest.approx([0.4, 0.8, 1.2])


def test_a_critic_at_chance_passes_all_at_the_first_threshold_and_none_at_the_second():
    chance = score(torch.zeros(3, 1, 4, 4))
    batches = [(["a", "b", "c"], chance)]
    assert select(1, 0.4, iter(batches)).kept == ["a", "b", "c"]
    assert select(2, 0.8, iter(batches)).kept == []


def test_what_looks_like_the_target_stays_and_a_short_last_batch_is_judged_too():
    result = select(1, 0.4, iter([(["x", "y"], torch.tensor([0.1, 2.0])), (["z"], torch.tensor([0.5]))]))
    assert result.kept == ["y", "z"]
    assert set(result.scores) == {"x", "y", "z"}
