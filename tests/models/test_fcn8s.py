"""FCN8s: where its maps lie, checked against loops and against pixels that are followed through the network."""

import pytest
import torch
from torch import nn

from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.fcn8s import ScoreHead, Upscore

# Of each map: how many pixels wide a cell is, and where the middle of cell 0 lies after the crops.
MAPS = {"score_pool3": (8, -23.5), "score_pool4": (16, -11.5), "score_fr": (32, 12.5)}


@pytest.fixture
def narrow(classes):
    return build_segmenter("fcn8s", classes, width=1 / 32).eval()


def only(head, name, weight, bias):
    """Scores from one map alone."""
    for layer in ("score_fr", "score_pool4", "score_pool3"):
        nn.init.constant_(getattr(head, layer).weight, weight if layer == name else 0.0)
        nn.init.constant_(getattr(head, layer).bias, bias if layer == name else 0.0)


def upscored(scores, stride):
    """Transposed convolution as it is defined: every cell drops its tent on the output."""
    height, width = scores.shape
    out = torch.zeros(stride * (height + 1), stride * (width + 1), dtype=torch.float64)
    tent = [1 - abs(a - (2 * stride - 1) / 2) / stride for a in range(2 * stride)]
    for i in range(height):
        for j in range(width):
            for a, down in enumerate(tent):
                for b, across in enumerate(tent):
                    out[stride * i + a, stride * j + b] += scores[i, j] * down * across
    return out


@pytest.mark.parametrize(("height", "width"), [(512, 1024), (333, 501)])
def test_the_whole_network_answers_at_the_images_size(classes, height, width):
    with torch.device("meta"):
        segmenter = build_segmenter("fcn8s", classes)
        assert segmenter(torch.zeros(1, 3, height, width)).shape == (1, 5, height, width)
        # torchvision's VGG16 less its last layer of 4 097 000.
        assert sum(p.numel() for p in segmenter.backbone.parameters()) == 138_357_544 - 4_097_000


@pytest.mark.parametrize(("height", "width"), [(64, 96), (67, 93), (1, 1), (33, 301)])
def test_a_narrow_one_answers_at_any_size(narrow, height, width):
    assert narrow(torch.rand(1, 3, height, width) * 255).shape == (1, 5, height, width)


def test_layers_are_vggs_with_a_margin_and_poolings_that_round_up(narrow):
    layers = narrow.backbone.features
    poolings = [index for index, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    assert poolings == [4, 9, 16, 23, 30]
    assert all((layers[i].kernel_size, layers[i].stride, layers[i].ceil_mode) == (2, 2, True) for i in poolings)
    convolutions = {i: layer for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)}
    assert list(convolutions) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert [layer.padding[0] for layer in convolutions.values()] == [100] + [1] * 12
    pool3, pool4, fc7 = narrow.backbone(torch.zeros(1, 3, 512, 1024))
    # 512 + 198 = 710 pixels, halved and rounded up: 355, 178, 89, 45, 23; a window of 7 leaves 17.
    assert [one.shape[-2] for one in (pool3, pool4, fc7)] == [89, 45, 17]


@pytest.mark.parametrize("stride", [2, 8])
def test_upscoring_is_the_written_interpolation(stride):
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    found = Upscore(3, stride).double()(scores)
    for image in range(2):
        for channel in range(3):
            torch.testing.assert_close(found[image, channel], upscored(scores[image, channel], stride))
    inside = found[..., stride // 2 : -(stride // 2), stride // 2 : -(stride // 2)]
    torch.testing.assert_close(  # and, away from the border, what everybody calls bilinear
        inside[..., stride:-stride, stride:-stride],
        nn.functional.interpolate(scores, scale_factor=stride, mode="bilinear")[..., stride:-stride, stride:-stride],
    )


def test_the_head_is_the_written_sum():
    """score_fr up by 2, plus pool4's from cell 5; up by 2, plus pool3's from cell 9; up by 8."""
    torch.manual_seed(0)
    head = ScoreHead((3, 4, 5), outputs=2).double()
    pool3, pool4, fc7 = (torch.randn(1, c, n, n + 1, dtype=torch.float64) for c, n in ((3, 28), (4, 14), (5, 2)))
    found = head((pool3, pool4, fc7))

    def score(layer, features, output):
        return torch.einsum("c,chw->hw", layer.weight[output, :, 0, 0], features[0]) + layer.bias[output]

    with torch.no_grad():
        for output in range(2):
            middle = upscored(score(head.score_fr, fc7, output), 2)
            of_pool4 = score(head.score_pool4, 0.01 * pool4, output)
            middle = upscored(middle + of_pool4[5 : 5 + middle.shape[0], 5 : 5 + middle.shape[1]], 2)
            of_pool3 = score(head.score_pool3, 0.0001 * pool3, output)
            fine = upscored(middle + of_pool3[9 : 9 + middle.shape[0], 9 : 9 + middle.shape[1]], 8)
            torch.testing.assert_close(found[0, output], fine)


@pytest.mark.parametrize("name", MAPS)
def test_a_pixel_is_seen_where_it_is(narrow, name):
    """A network that hands one channel through: a white pixel gives a tent over the cell that the pixel is in."""
    for module in narrow.backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
            with torch.no_grad():
                module.weight[0, 0, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 1
    only(narrow.head, name, weight=1e4, bias=0.0)
    cell, first = MAPS[name]
    rows, columns = torch.arange(160.0), torch.arange(256.0)
    # 60, 92, 124 and 156 are the last pixel of a cell of every map; with 93 and 125 the next one begins.
    for row, column in ((80, 120), (81, 97), (60, 156), (92, 124), (93, 125)):
        image = torch.zeros(1, 3, 160, 256)
        image[:, :, row, column] = 255
        tent = narrow(image)[0, 0].double()
        tent = tent / tent.sum()
        middle = ((tent.sum(1) * rows).sum().item(), (tent.sum(0) * columns).sum().item())
        for found, pixel in zip(middle, (row, column), strict=True):
            expected = first + cell * ((pixel - first + cell / 2) // cell)
            assert found == pytest.approx(expected, abs=1e-3)
            assert abs(found - pixel) <= cell / 2


def test_only_the_interpolation_is_not_trained(classes, narrow):
    groups = {group["name"]: group for group in narrow.parameter_groups(1e-3, 10.0)}
    shapes = [tuple(p.shape) for p in groups["head"]["params"]]
    assert shapes == [(5, 128, 1, 1), (5,), (5, 16, 1, 1), (5,), (5, 8, 1, 1), (5,)]
    assert len(groups["backbone"]["params"]) == 2 * 15
    assert not any("upscore" in name for name in narrow.state_dict()), "a constant is not stored either"


def test_dropout_is_of_whole_channels_and_of_training_only(narrow):
    images = torch.rand(1, 3, 64, 64) * 255
    assert torch.equal(narrow(images), narrow(images))
    fc7 = narrow.backbone.train()(images)[2]
    dropped = (fc7 == 0).all(-1).all(-1)
    assert 0.3 < dropped.float().mean() < 0.95


@pytest.mark.parametrize("width", [0.0, -1.0, 2.0])
def test_an_impossible_width_is_refused(classes, width):
    with pytest.raises(UserError, match="share of its channels"):
        build_segmenter("fcn8s", classes, width=width)
