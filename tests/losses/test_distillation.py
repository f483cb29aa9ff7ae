"""Equation 9 against a loop over pixels, in float64."""

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


def test_the_papers_form_divides_by_the_temperature_and_sums_over_classes(pair):
    student, teacher = pair
    value = distillation_loss(student.log_softmax(1), teacher, 0.5, "sum")
    assert value.item() == pytest.approx(literal(student, teacher, 2.0), rel=1e-12)


def test_the_released_form_multiplies_by_a_half_and_averages_over_classes(pair):
    student, teacher = pair
    value = distillation_loss(student.log_softmax(1), teacher, 2.0, "mean")
    assert value.item() == pytest.approx(literal(student, teacher, 0.5) / 5, rel=1e-12)


def test_no_gradient_reaches_the_teacher_and_the_student_at_the_teacher_is_at_rest(pair):
    _, teacher = pair
    teacher = teacher.clone().requires_grad_()
    student = teacher.detach().clone().requires_grad_()
    distillation_loss(student.log_softmax(1), teacher, 1.0, "sum").backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-15
