"""Equation 9 against a loop over pixels, in float64."""

import itertools
import math

import pytest
import torch

from pixda.losses.distillation import distillation_loss


def literal(student, teacher, scale):
    total = 0.0
    n, c, h, w = student.shape
    for i in range(n):
        for r in range(h):
            for k in range(w):
                t = [math.exp(scale * float(v)) for v in teacher[i, :, r, k]]
                s = [math.exp(float(v)) for v in student[i, :, r, k]]
                total += -sum(t[j] / sum(t) * math.log(s[j] / sum(s)) for j in range(c))
    return total / (n * h * w)


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return torch.randn(2, 2, 5, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize(
    ("temperature", "over_classes", "scale", "divisor"), [(0.5, "sum", 2.0, 1), (2.0, "mean", 0.5, 5)]
)
@pytest.mark.parametrize("of", ["logits", "log-probabilities"])
def test_value_and_gradient_are_the_literal_ones(pair, temperature, over_classes, scale, divisor, of):
    """The paper's form and the released one; ``(softmax(s) - softmax(t / tau)) / (N H W)`` at each logit."""
    student, teacher = pair
    leaf = student.clone().requires_grad_()
    scores = leaf if of == "logits" else leaf.log_softmax(1)
    loss = distillation_loss(scores, teacher, temperature, over_classes)
    assert loss.item() == pytest.approx(literal(student, teacher, scale) / divisor, rel=1e-12)
    (3 * loss).backward()
    n, c, h, w = student.shape
    for i, r, k in itertools.product(range(n), range(h), range(w)):
        s = [math.exp(float(v)) for v in student[i, :, r, k]]
        t = [math.exp(scale * float(v)) for v in teacher[i, :, r, k]]
        for j in range(c):
            expected = 3 * (s[j] / sum(s) - t[j] / sum(t)) / (n * h * w) / divisor
            assert float(leaf.grad[i, j, r, k]) == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_no_gradient_reaches_the_teacher_and_the_student_at_the_teacher_is_at_rest(pair):
    _, teacher = pair
    teacher = teacher.clone().requires_grad_()
    student = teacher.detach().clone().requires_grad_()
    distillation_loss(student.log_softmax(1), teacher, 1.0, "sum").backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-15
