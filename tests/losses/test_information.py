"""Self-information maps against the written formula, in float64."""

import math

import pytest
import torch

from pixda.losses.information import self_information


def test_it_is_the_written_formula():
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    found = self_information(logits.log_softmax(1))
    for i in range(2):
        for r in range(3):
            for k in range(4):
                total = sum(math.exp(z) for z in logits[i, :, r, k].tolist())
                for c in range(5):
                    p = math.exp(float(logits[i, c, r, k])) / total
                    assert found[i, c, r, k].item() == pytest.approx(-p * math.log2(p) / math.log2(5), rel=1e-12)


def test_even_odds_add_up_to_one_and_a_sure_pixel_to_zero():
    even = torch.zeros(1, 19, 2, 2).log_softmax(1)
    torch.testing.assert_close(self_information(even).sum(1), torch.ones(1, 2, 2))
    sure = torch.zeros(1, 19, 2, 2).index_fill_(1, torch.tensor([4]), 300.0).log_softmax(1)
    assert (self_information(sure) == 0).all(), "p = 0 needs no guard"


def test_its_gradient_is_that_of_the_formula_and_finite_where_a_pixel_is_sure():
    logits = torch.randn(1, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: self_information(z.log_softmax(1)), (logits,))
    sure = torch.tensor([300.0, 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    self_information(sure.log_softmax(1)).sum().backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()
