"""FSDA's filter and the discriminator of pairs against loops, in float64."""

import math

import pytest
import torch

from pixda.losses.pairing import (
    BOTH_SOURCE,
    BOTH_TARGET,
    MIXED,
    pair_loss,
    pairing_discriminator_loss,
    without_easy_pixels,
)


def mean_squared(answers, value):
    numbers = answers.flatten().tolist()
    return sum((math.tanh(a) - value) ** 2 for a in numbers) / len(numbers)


def test_a_pixel_is_ignored_where_the_auxiliary_head_is_surer_than_beta():
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, 4, 6, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 6, 5))
    labels[0, 0] = 255
    before = labels.clone()
    found = without_easy_pixels(labels, logits.log_softmax(1), 0.8)
    dropped = 0
    for i in range(2):
        for r in range(6):
            for k in range(5):
                easy = max(logits[i, :, r, k].softmax(0).tolist()) > 0.8
                dropped += easy
                assert found[i, r, k] == (255 if easy else labels[i, r, k])
    assert 0 < dropped < 60, "the test must see both"
    assert torch.equal(labels, before)


def test_only_confidence_counts_and_one_keeps_everything():
    sure = torch.zeros(1, 3, 2, 2).index_fill_(1, torch.tensor([1]), 200.0).log_softmax(1)
    labels = torch.tensor([[[0, 1], [2, 1]]])
    assert (without_easy_pixels(labels, sure, 0.95) == 255).all(), "wrong and right alike"
    assert torch.equal(without_easy_pixels(labels, sure, 1.0), labels)


@pytest.mark.parametrize("kind", [BOTH_SOURCE, MIXED, BOTH_TARGET])
def test_pair_loss_is_the_squared_distance_of_the_tanh(kind):
    torch.manual_seed(1)
    answers = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    assert pair_loss(answers, kind).item() == pytest.approx(mean_squared(answers, kind), rel=1e-12)


def test_the_discriminators_objective_is_the_written_sum():
    """1/2 [(S,S') to 1 + (S',T) to 0] + 1/2 [(T',T) to -1 + (S,T') to 0]."""
    torch.manual_seed(2)
    s_s, old_s_t, s_old_t, t_t = torch.randn(4, 2, 3, 2, 4, dtype=torch.float64)
    expected = 0.5 * (mean_squared(s_s, 1) + mean_squared(old_s_t, 0)) + 0.5 * (
        mean_squared(t_t, -1) + mean_squared(s_old_t, 0)
    )
    assert pairing_discriminator_loss(s_s, torch.cat([old_s_t, s_old_t]), t_t).item() == pytest.approx(
        expected, rel=1e-12
    )
