"""Equations 2-8 against loops over pixels, in float64."""

import math

import pytest
import torch

from pixda.losses.adversarial import difficulty, discriminator_loss, fool_loss, pixadv_loss, pseudo_labels, rarity


def positions(*sizes):
    return [tuple(i.tolist()) for i in torch.cartesian_prod(*[torch.arange(n) for n in sizes])]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 2.0])
def test_discriminator_loss_is_equations_2_and_7_and_its_opponents_the_other_side(share):
    torch.manual_seed(0)
    source, target = torch.randn(2, 2, 1, 3, 4, dtype=torch.float64)
    p_target = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
    of_source = [-math.log(1 - p_target(z)) for z in source.flatten().tolist()]
    of_target = [-math.log(p_target(z)) for z in target.flatten().tolist()]
    expected = 0.5 * share * sum(of_source) / len(of_source) + 0.5 * sum(of_target) / len(of_target)
    assert discriminator_loss(source, target, share).item() == pytest.approx(expected, rel=1e-12)
    assert fool_loss(source).item() == pytest.approx(sum(of_source) / len(of_source), rel=1e-12)


def test_rarity_is_equation_5_and_counts_ignored_pixels():
    # Six pixels, class 0 thrice, class 1 twice, three ignored: the published code gives 0.625, 0.75, 0.625.
    labels = torch.tensor([[[0, 0, 0, 1], [1, 255, 255, 255]]])
    assert rarity(labels)[0].tolist() == [[0.625, 0.625, 0.625, 0.75], [0.75, 0.625, 0.625, 0.625]]


def test_rarity_is_taken_per_image():
    labels = torch.stack([torch.zeros(2, 4, dtype=torch.long), torch.arange(8).view(2, 4)])
    maps = rarity(labels)
    assert (maps[0] == 0).all()
    assert (maps[1] == 1 - 1 / 8).all()


def test_pixadv_is_equation_3():
    torch.manual_seed(1)
    n, c, h, w = 2, 4, 5, 6
    logits, z = torch.randn(n, c, h, w, dtype=torch.float64), torch.randn(n, 1, h, w, dtype=torch.float64)
    labels = torch.randint(0, c, (n, h, w))
    labels[1, 0] = 255
    total = 0.0
    for i, r, k in positions(n, h, w):
        y = int(labels[i, r, k])
        if y == 255:
            continue  # S is zero there
        s = -math.log(float(logits[i, :, r, k].softmax(0)[y]))
        b = 1 - float((labels[i] == y).sum()) / (h * w)
        p_source = 1 - 1 / (1 + math.exp(-float(z[i, 0, r, k])))
        total += s * b * -math.log(p_source)
    weights = difficulty(logits.log_softmax(1), labels) * rarity(labels)
    assert pixadv_loss(z, weights).item() == pytest.approx(total / (n * h * w), rel=1e-6)


def test_without_labels_the_likeliest_class_stands_for_one():
    logits = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(3))
    found = pseudo_labels(logits.log_softmax(1))
    for i, r, k in positions(2, 5, 6):
        of_pixel = logits[i, :, r, k].tolist()
        assert found[i, r, k] == of_pixel.index(max(of_pixel))


def test_pixadv_on_a_smaller_map_averages_the_weights_of_a_cell():
    torch.manual_seed(2)
    z, weights = torch.randn(1, 1, 2, 3), torch.rand(1, 4, 6)
    expected = sum(
        float(weights[0, 2 * r : 2 * r + 2, 2 * k : 2 * k + 2].mean() * torch.nn.functional.softplus(z[0, 0, r, k]))
        for r, k in positions(2, 3)
    )
    assert pixadv_loss(z, weights).item() == pytest.approx(expected / 6, rel=1e-5)
    # A constant discriminator gives the same value at either size: the option changes it, not the weight.
    full, small = torch.full((1, 1, 4, 6), 0.7), torch.full((1, 1, 2, 3), 0.7)
    torch.testing.assert_close(pixadv_loss(full, weights), pixadv_loss(small, weights))
