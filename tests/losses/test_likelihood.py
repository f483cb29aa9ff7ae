"""Likelihoods a few lines at a time against autograd's own derivative of the written softmax, in float64."""

import pytest
import torch

from pixda.losses import likelihood
from pixda.losses.likelihood import cross_entropy_of_maps, pixel_nll, pixel_nll_and_softmax

CLASSES = 5


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Three lines at a time, so that the last piece is a short one."""
    monkeypatch.setattr(likelihood, "_CACHE", 3 * CLASSES * 6)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, CLASSES, 7, 6, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(0, CLASSES, (2, 7, 6), generator=generator)
    labels[0, :2] = 255
    return scores.requires_grad_(), labels


def literal(scores, labels):
    """``-log p_i[y_i]``, zero where ignored, and p, from the definition of the softmax."""
    p = scores.exp() / scores.exp().sum(1, keepdim=True)
    one_hot = torch.nn.functional.one_hot(labels.clamp_max(CLASSES - 1), CLASSES).permute(0, 3, 1, 2)
    return torch.where(labels == 255, 0.0, -(one_hot * p).sum(1).log()), p


def test_values_and_gradients_are_the_definitions(batch):
    scores, labels = batch
    generator = torch.Generator().manual_seed(1)
    of_surprise = torch.randn(labels.shape, generator=generator, dtype=torch.float64)
    of_map = torch.randn(scores.shape, generator=generator, dtype=torch.float64)
    s, p = literal(scores, labels)
    alone = torch.autograd.grad(s, scores, of_surprise, retain_graph=True)[0]
    both = torch.autograd.grad([s, p], scores, [of_surprise, of_map], retain_graph=True)[0]
    map_alone = torch.autograd.grad(p, scores, of_map)[0]

    torch.testing.assert_close(pixel_nll(scores, labels), s)
    torch.testing.assert_close(torch.autograd.grad(pixel_nll(scores, labels), scores, of_surprise)[0], alone)
    found, maps = pixel_nll_and_softmax(scores, labels)
    torch.testing.assert_close((found, maps), (s, p))
    torch.testing.assert_close(
        torch.autograd.grad([found, maps], scores, [of_surprise, of_map], retain_graph=True)[0], both
    )
    torch.testing.assert_close(torch.autograd.grad(found, scores, of_surprise, retain_graph=True)[0], alone)
    torch.testing.assert_close(torch.autograd.grad(maps, scores, of_map)[0], map_alone)


def test_log_probabilities_serve_as_well_as_logits(batch):
    scores, labels = batch
    torch.testing.assert_close(pixel_nll(scores.log_softmax(1), labels), pixel_nll(scores, labels))
    slopes = [torch.autograd.grad(pixel_nll(z, labels).sum(), scores)[0] for z in (scores, scores.log_softmax(1))]
    torch.testing.assert_close(*slopes)


def test_the_cross_entropy_of_maps_is_the_written_sum_and_its_derivative(batch):
    scores, _ = batch
    teacher = torch.randn(scores.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    q = (teacher / 0.5).exp() / (teacher / 0.5).exp().sum(1, keepdim=True)
    written = -(q * (scores.exp() / scores.exp().sum(1, keepdim=True)).log()).sum()
    value = cross_entropy_of_maps(scores, teacher, 0.5)
    torch.testing.assert_close(value, written)
    torch.testing.assert_close(*(torch.autograd.grad(one, scores)[0] for one in (value, written)))


def test_a_map_is_gone_through_in_pieces_of_three_lines(batch):
    scores, _ = batch
    shapes = [tuple(scores[tile].shape) for tile in likelihood._tiles(scores)]
    assert shapes == [(1, CLASSES, 3, 6), (1, CLASSES, 3, 6), (1, CLASSES, 1, 6)] * 2


def test_a_line_that_is_more_than_a_piece_is_taken_as_it_is(batch, monkeypatch):
    scores, labels = batch
    whole = pixel_nll(scores, labels)
    monkeypatch.setattr(likelihood, "_CACHE", 1)
    assert len(list(likelihood._tiles(scores))) == 2 * 7
    torch.testing.assert_close(pixel_nll(scores, labels), whole)


def test_channels_last_and_float32_are_as_exact_as_their_numbers(batch):
    scores, labels = batch
    small = scores.detach().float().contiguous(memory_format=torch.channels_last).requires_grad_()
    found, maps = pixel_nll_and_softmax(small, labels)
    s, p = literal(scores, labels)
    torch.testing.assert_close((found.double(), maps.double()), (s, p), rtol=1e-5, atol=1e-6)
