"""The robust entropy against a loop over pixels, in float64."""

import math

import pytest
import torch

from pixda.losses.entropy import charbonnier_entropy


def literal(logits, eta, epsilon):
    n, c, h, w = logits.shape
    total = 0.0
    for i in range(n):
        for r in range(h):
            for k in range(w):
                e = [math.exp(float(v)) for v in logits[i, :, r, k]]
                p = [v / sum(e) for v in e]
                entropy = -sum(q * math.log(q) for q in p) / math.log(c)
                total += (entropy * entropy + epsilon * epsilon) ** eta
    return total / (n * h * w)


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return 3 * torch.randn(2, 5, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize("eta", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 0.3])
def test_it_is_the_mean_of_rho_over_all_pixels(logits, eta, epsilon):
    value = charbonnier_entropy(logits.log_softmax(1), eta, epsilon)
    assert value.item() == pytest.approx(literal(logits, eta, epsilon), rel=1e-12)


@pytest.mark.parametrize("classes", [2, 19])
def test_one_where_nothing_is_known_and_next_to_nothing_where_all_is(classes):
    nothing = torch.zeros(1, classes, 2, 2, dtype=torch.float64).log_softmax(1)
    assert charbonnier_entropy(nothing, 2.0).item() == pytest.approx((1 + 1e-6) ** 2, rel=1e-12)
    sure = torch.zeros(1, classes, 2, 2, dtype=torch.float64).index_fill_(1, torch.tensor([1]), 300.0).log_softmax(1)
    assert charbonnier_entropy(sure, 2.0).item() == pytest.approx(1e-12, rel=1e-6)


def test_descending_makes_the_network_surer_and_its_slope_is_finite_where_it_is_sure():
    sure = torch.tensor([0.0, 1.0, 900.0]).view(1, 3, 1, 1)
    for logits in (torch.tensor([0.0, 0.1, 0.3]).view(1, 3, 1, 1), sure):
        logits.requires_grad_()
        before = charbonnier_entropy(logits.log_softmax(1), 0.3)
        (slope,) = torch.autograd.grad(before, logits)
        assert slope.isfinite().all()
        after = charbonnier_entropy((logits - 0.1 * slope).log_softmax(1), 0.3)
        assert after <= before
        assert (after < before) == (logits is not sure)
