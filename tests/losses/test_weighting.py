"""The NAAE-style weights and losses against loops over pixels, in float64."""

import math

import pytest
import torch

from pixda.losses.weighting import at_labels, realism, weighted_cross_entropy, weighting_loss

N, C, H, W = 2, 4, 6, 8


def positions():
    return [(i, r, k) for i in range(N) for r in range(H) for k in range(W)]


def drawn(seed=0):
    """Logits of the segmenter, labels with ignored pixels, weights."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(N, C, H, W, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    labels[0, :2] = labels[1, 3, 5] = 255
    return logits, labels, torch.rand(N, H, W, dtype=torch.float64, generator=generator)


def judged(outputs, seed=0):
    """Logits of three weighting networks: of every pixel, of 3 x 4 regions, of the image."""
    generator = torch.Generator().manual_seed(seed)
    return [
        3 * torch.randn(N, outputs, h, w, dtype=torch.float64, generator=generator) for h, w in ((H, W), (3, 4), (1, 1))
    ]


def spoken(logits, i, r, k, label):
    """What a network says at a pixel: in the cell that it lies in, in its class's map if there are several."""
    outputs, h, w = logits.shape[1:]
    return float(logits[i, label if outputs > 1 else 0, r * h // H, k * w // W])


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_weighted_cross_entropy_divides_by_pixels_and_not_by_weights():
    logits, labels, weights = drawn()
    total, count = 0.0, 0
    for i, r, k in positions():
        y = int(labels[i, r, k])
        if y == 255:
            continue
        count += 1
        total += float(weights[i, r, k]) * -math.log(float(logits[i, :, r, k].softmax(0)[y]))
    found = weighted_cross_entropy(logits.log_softmax(1), labels, weights)
    assert found.item() == pytest.approx(total / count, rel=1e-12)
    assert count == N * H * W - 2 * W - 1


def test_without_a_valid_pixel_there_is_no_loss_and_no_gradient():
    logits = torch.randn(1, C, 2, 2, requires_grad=True)
    loss = weighted_cross_entropy(logits.log_softmax(1), torch.full((1, 2, 2), 255), torch.ones(1, 2, 2))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("outputs", [1, C])
def test_a_pixel_takes_its_cell_and_the_map_of_its_class(outputs):
    _, labels, _ = drawn()
    for logits in judged(outputs):
        found = at_labels(logits, labels)
        for i, r, k in positions():
            y = int(labels[i, r, k])
            if y != 255:
                assert found[i, r, k].item() == spoken(logits, i, r, k, y)


def test_cells_that_do_not_divide_the_image_stand_for_what_lies_nearest():
    found = at_labels(torch.arange(3.0).view(1, 1, 1, 3), torch.zeros(1, 1, 8, dtype=torch.long))
    # Pixel k has its middle at (k + 1/2) / 8 of the image, cell j reaches from j / 3 to (j + 1) / 3.
    assert found[0, 0].tolist() == [int((k + 0.5) * 3 / 8) for k in range(8)]


@pytest.mark.parametrize("outputs", [1, C])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_weight_is_the_geometric_mean_of_the_three_levels(outputs, normalise):
    _, labels, _ = drawn()
    networks = judged(outputs)
    expected = {}
    for i, r, k in positions():
        y = int(labels[i, r, k])
        if y != 255:
            product = 1.0
            for logits in networks:
                product *= sigmoid(spoken(logits, i, r, k, y))
            expected[i, r, k] = product ** (1 / 3)
    mean = sum(expected.values()) / len(expected) if normalise else 1.0
    found = realism(networks, labels, normalise)
    assert found.shape == (N, H, W)
    for place, weight in expected.items():
        assert found[place].item() == pytest.approx(weight / mean, rel=1e-5)  # the code takes logits as float32


def test_three_networks_that_are_sure_of_synthetic_leave_a_number():
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    sure = [torch.full((1, 1, 2, 2), -60.0)] * 3  # 1e-26 each: their product is no float32
    weights = realism(sure, labels, normalise=False)
    torch.testing.assert_close(weights, torch.full((1, 2, 2), math.exp(-60.0)), rtol=1e-4, atol=0)
    assert realism(sure, labels, normalise=True).isfinite().all()


@pytest.mark.parametrize("outputs", [1, C])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_weighting_loss_is_binary_cross_entropy_on_valid_pixels(outputs, level):
    source, target = judged(outputs, 1)[level], judged(outputs, 2)[level]
    (_, source_labels, _), (_, target_labels, _) = drawn(1), drawn(2)
    target_labels[1, 4:] = 255
    halves = []
    for logits, labels, is_target in ((source, source_labels, 0.0), (target, target_labels, 1.0)):
        terms = []
        for i, r, k in positions():
            y = int(labels[i, r, k])
            if y != 255:
                p = sigmoid(spoken(logits, i, r, k, y))
                terms.append(-(is_target * math.log(p) + (1 - is_target) * math.log(1 - p)))
        halves.append(sum(terms) / len(terms))
    found = weighting_loss(source, source_labels, target, target_labels)
    assert found.item() == pytest.approx(0.5 * sum(halves), rel=1e-12)


@pytest.mark.parametrize("shares", [(0.3, 0.9), (0.0, 1.0), (2.0, 0.0)])
def test_a_process_weighs_each_domains_mean_by_its_share(shares):
    source, target = (torch.full((1, 1, 2, 2), z, dtype=torch.float64) for z in (0.4, -1.5))
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    expected = 0.5 * shares[0] * math.log(1 + math.exp(0.4)) + 0.5 * shares[1] * math.log(1 + math.exp(1.5))
    assert weighting_loss(source, labels, target, labels, shares).item() == pytest.approx(expected, rel=1e-12)
