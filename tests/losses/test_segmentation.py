"""The segmentation losses against loops over pixels, in float64, written from the equations."""

import itertools
import math

import pytest
import torch

from pixda.losses.likelihood import pixel_nll
from pixda.losses.segmentation import cross_entropy, focal, focal_from_nll, mean_over_valid

CLASSES = 6
ALPHA = [0.75, 0.5, 0.25, 0.75, 0.9, 0.6]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, CLASSES, 6, 7, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(0, CLASSES, (2, 6, 7), generator=generator)
    labels[0, :2] = 255
    return logits.requires_grad_(), labels


def literal_focal(logits, labels, gamma, alpha, epsilon=0.0):
    total, valid = 0.0, 0
    for image in range(logits.shape[0]):
        for row in range(logits.shape[2]):
            for column in range(logits.shape[3]):
                y = int(labels[image, row, column])
                if y == 255:
                    continue
                z = [v.item() for v in logits[image, :, row, column]]
                p = math.exp(z[y]) / sum(math.exp(v) for v in z)
                total += -alpha[y] * max(0.0, 1 - p - epsilon) ** gamma * math.log(p + epsilon)
                valid += 1
    return total / valid


@pytest.mark.parametrize(
    ("gamma", "epsilon"), [(0.0, 0.0), (0.5, 0.0), (2.0, 0.0), (0.5, 1e-6), (2.0, 1e-6), (0.5, 0.05), (2.0, 0.05)]
)
def test_focal_is_equation_1_and_with_epsilon_the_released_form(batch, gamma, epsilon):
    logits, labels = batch
    value = focal(logits.log_softmax(1), labels, gamma, torch.tensor(ALPHA, dtype=torch.float64), epsilon)
    assert value.item() == pytest.approx(literal_focal(logits, labels, gamma, ALPHA, epsilon), rel=1e-12)


@pytest.mark.parametrize(
    ("gamma", "epsilon"), [(0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (0.5, 0.05), (2.0, 0.05), (3.0, 1e-6)]
)
def test_focal_gradient_is_the_literal_derivative(batch, gamma, epsilon):
    logits, labels = (part[..., 1:4, 2:4].detach().clone() for part in batch)
    logits.requires_grad_()
    (3 * focal(logits, labels, gamma, torch.tensor(ALPHA, dtype=torch.float64), epsilon)).backward()
    step, numbers = 1e-5, logits.detach().clone()
    for place in itertools.product(*map(range, logits.shape)):
        value = float(numbers[place])
        around = []
        for moved in (value + step, value - step):
            numbers[place] = moved
            around.append(literal_focal(numbers, labels, gamma, ALPHA, epsilon))
        numbers[place] = value
        assert float(logits.grad[place]) == pytest.approx(3 * (around[0] - around[1]) / (2 * step), abs=1e-8)


def test_a_loss_gives_its_gradient_once(batch):
    logits, labels = batch
    loss = cross_entropy(logits, labels)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        loss.backward()


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_beside_epsilon_a_pixel_surer_than_one_is_at_rest(gamma):
    """``1 - p - epsilon`` is cut off at zero: at 0.97, and at 1, where ``-log p`` is zero."""
    logits = torch.tensor([[3.5, 900.0], [0.0, 0.0]]).view(1, 2, 1, 2).requires_grad_()
    loss = focal(logits, torch.zeros(1, 1, 2, dtype=torch.long), gamma, torch.ones(2), 0.05)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_beside_epsilon_a_certain_pixel_gains_nothing_without_a_focus_either():
    logits = torch.tensor([900.0, 0.0]).view(1, 2, 1, 1)
    assert focal(logits, torch.zeros(1, 1, 1, dtype=torch.long), 0.0, torch.ones(2), 0.05).item() == 0


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_an_almost_certain_pixel_has_its_true_loss_in_float32(gamma):
    """``p = 1 - 2e-9`` is 1 in float32; its focal loss, ``(1 - p)^gamma (1 - p)``, is not zero."""
    nll = torch.full((1, 1, 1), 2e-9)
    value = focal_from_nll(nll, torch.zeros(1, 1, 1, dtype=torch.long), gamma, torch.full((1,), 3.0))
    assert value.item() == pytest.approx(3 * 2e-9 ** (gamma + 1), rel=1e-5, abs=0)


def test_an_ignored_pixel_does_not_count_whatever_it_holds():
    values, labels = torch.tensor([[[2.0, 7.0, 4.0]]]), torch.tensor([[[0, 255, 254]]])
    assert mean_over_valid(values, labels).item() == 3
    assert mean_over_valid(values[..., :2], labels[..., :2]).item() == 2
    assert mean_over_valid(values, torch.full_like(labels, 255)).item() == 0


@pytest.mark.parametrize("epsilon", [0.0, 1e-2])
def test_from_the_likelihood_it_is_the_same_loss_and_gradient(batch, epsilon):
    logits, labels = batch
    alpha = torch.linspace(0.2, 0.9, CLASSES, dtype=torch.float64)
    found = []
    for loss in (
        focal(logits, labels, 2.0, alpha, epsilon),
        focal_from_nll(pixel_nll(logits, labels), labels, 2.0, alpha, epsilon),
    ):
        (gradient,) = torch.autograd.grad(3 * loss, logits)
        found.append((loss.item(), gradient))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-12)


def test_cross_entropy_is_focal_without_focus(batch):
    logits, labels = batch
    ones = torch.ones(CLASSES, dtype=torch.float64)
    log_probs = logits.log_softmax(1)
    assert cross_entropy(log_probs, labels).item() == pytest.approx(focal(log_probs, labels, 0.0, ones).item())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_a_batch_of_ignored_pixels_gives_zero_and_a_zero_gradient(gamma):
    logits = torch.randn(1, CLASSES, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), 255)
    loss = focal(logits.log_softmax(1), labels, gamma, torch.ones(CLASSES)) + cross_entropy(
        logits.log_softmax(1), labels
    )
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_a_confidently_wrong_pixel_has_a_gradient():
    """With ``p + 1e-6`` inside the logarithm, as released, it has almost none and is never unlearned."""
    logits = torch.tensor([30.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    focal(logits.log_softmax(1), torch.ones(1, 1, 1, dtype=torch.long), 2.0, torch.full((2,), 0.25)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1].item() == pytest.approx(-0.25, rel=1e-3)


def test_a_certain_pixel_is_finite_for_any_gamma():
    logits = torch.tensor([80.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    focal(logits.log_softmax(1), torch.zeros(1, 1, 1, dtype=torch.long), 0.5, torch.ones(2)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
