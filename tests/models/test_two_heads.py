"""A second head on every network that has a middle layer, and none of it in what is kept."""

import pytest
import torch
from torch import nn

from pixda.errors import UserError
from pixda.models import ARCHITECTURES, build_segmenter
from pixda.models.deeplab import DilatedSum
from pixda.models.segmenter import Segmenter
from pixda.models.two_heads import WITH_MIDDLE, TwoHeads

STRIDES = {"deeplab_resnet50": 8, "deeplab_resnet101": 8, "mobile_deeplab": 16, "tiny": 4}
STRIDES |= {f"efficientnet_lite{variant}": 16 for variant in range(3)}


def build(architecture, classes):
    """Large networks without memory or arithmetic."""
    with torch.device("meta" if "resnet" in architecture else "cpu"):
        return TwoHeads(build_segmenter(architecture, classes))


@pytest.fixture(scope="module")
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def network(architecture, classes):
    return build(architecture, classes)


def images(network):
    return torch.rand(2, 3, 64, 96, device=next(network.parameters()).device) * 255


def test_the_architectures_that_are_named_are_those_that_have_a_middle_layer():
    assert set(WITH_MIDDLE) == set(ARCHITECTURES) - {"huggingface", "fcn8s", "ensemble"} == set(STRIDES)


def test_a_network_without_one_is_refused_with_those_that_have_one(classes):
    plain = Segmenter(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), classes, "symmetric")
    with pytest.raises(UserError, match=r"deeplab_resnet50, deeplab_resnet101, mobile_deeplab, .* or tiny"):
        TwoHeads(plain)


@pytest.mark.parametrize("architecture", WITH_MIDDLE, indirect=True, scope="module")
class TestTwoHeads:
    def test_both_heads_give_every_class_at_their_stride(self, architecture, network):
        main, auxiliary = network(images(network))
        assert main.shape == network.segmenter(images(network)).shape
        assert auxiliary.shape[:2] == (2, 5)
        for side, length in zip(auxiliary.shape[-2:], (64, 96), strict=True):
            assert abs(side - length / STRIDES[architecture]) <= 1
        assert not any(module._forward_hooks for module in network.modules())

    def test_the_auxiliary_head_learns_at_the_heads_rate_and_all_the_rest_as_without_it(self, network):
        backbone, head = network.parameter_groups(1e-3, 10.0)
        alone_backbone, alone_head = network.segmenter.parameter_groups(1e-3, 10.0)
        assert [id(p) for p in backbone["params"]] == [id(p) for p in alone_backbone["params"]]
        added = {id(p) for p in head["params"]} - {id(p) for p in alone_head["params"]}
        assert added == {id(p) for p in network.auxiliary.parameters()}
        assert head["lr"] == pytest.approx(1e-2)

    def test_gradients_of_the_auxiliary_head_reach_the_middle_and_not_the_main_head(self, network):
        network(images(network)).auxiliary.sum().backward()
        assert all(p.grad is not None for p in network.auxiliary.parameters())
        assert all(p.grad is None for p in network.segmenter.head.parameters())
        assert any(p.grad is not None for p in network.segmenter.backbone.parameters())


def test_the_auxiliary_head_reads_the_middle_layer(classes):
    """On a small network its output is computed from the layer; of DeepLab it is the third layer."""
    torch.manual_seed(0)
    network = build("mobile_deeplab", classes).eval()
    x = images(network)
    features = network.segmenter.backbone.features[:14](network.segmenter.normalise(x))
    assert features.shape[1:] == (96, 4, 6)
    torch.testing.assert_close(network(x).auxiliary, network.auxiliary(features))
    with torch.device("meta"):
        large = build_segmenter("deeplab_resnet101", classes)
    middle = large.middle()
    assert middle is not None
    assert middle.layer is large.backbone.layer3
    assert (middle.channels, middle.dilations) == (1024, (6, 12, 18, 24))
    assert isinstance(TwoHeads(large).auxiliary, DilatedSum)


def test_a_failed_pass_leaves_no_hook(classes):
    network = build("tiny", classes)
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 4, 8, 8))
    assert not any(module._forward_hooks for module in network.modules())
