import copy

import pytest
import torch
from torch import nn

from pixda.models import build_segmenter
from pixda.models.deeplab import RESNET101, DeepLabV2, DilatedSum, ResNet


def narrow(caffe=True, frozen_statistics=False):
    """A ResNet whose numbers can be told apart: the given initialisation would drown them."""
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 2, 2), caffe, frozen_statistics, width=4)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return backbone


def undilated(backbone):
    """The classifier it came from: strides 1, 2, 2, 2 and no dilation, with the same weights."""
    classifier = copy.deepcopy(backbone)
    for layer in (classifier.layer3, classifier.layer4):
        first = layer[0]
        (first.conv1 if backbone.caffe else first.conv2).stride = (2, 2)
        first.downsample[0].stride = (2, 2)
        for block in layer:
            block.conv2.dilation = block.conv2.padding = (1, 1)
    return classifier


@pytest.mark.parametrize("architecture", ["deeplab_resnet50", "deeplab_resnet101"])
def test_logits_of_a_training_image_are_65_x_129(classes, architecture):
    with torch.device("meta"):
        segmenter = build_segmenter(architecture, classes)
        assert segmenter(torch.zeros(1, 3, 512, 1024)).shape == (1, 5, 65, 129)


def test_resnet101_has_its_43_million_parameters(classes):
    with torch.device("meta"):
        backbone = build_segmenter("deeplab_resnet101", classes).backbone
    # torchvision's ResNet-101 less its classifier of 2 049 000.
    assert sum(p.numel() for p in backbone.parameters()) == 44_549_160 - 2_049_000


@pytest.mark.parametrize("caffe", [True, False])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (73, 57)])
def test_dilation_computes_the_classifier_on_a_finer_grid(caffe, height, width):
    backbone = narrow(caffe).eval()
    image = torch.randn(1, 3, height, width)
    fine, coarse = backbone(image), undilated(backbone)(image)
    assert coarse.shape[-2:] != fine.shape[-2:]
    torch.testing.assert_close(fine[..., ::4, ::4], coarse, rtol=1e-4, atol=1e-4)


def test_caffe_form_has_stride_on_the_first_1x1_and_dilations_1_1_2_4():
    backbone = ResNet(RESNET101, width=4)
    layers = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
    assert [len(layer) for layer in layers] == [3, 4, 23, 3]
    assert [layer[0].conv1.stride[0] for layer in layers] == [1, 2, 1, 1]
    dilations = [{block.conv2.dilation[0] for block in layer} for layer in layers]
    assert dilations == [{1}, {1}, {2}, {4}]
    for layer in layers:
        assert all(block.conv2.stride == (1, 1) for block in layer)
        assert all(block.conv2.padding == block.conv2.dilation for block in layer)
        assert [block.downsample is not None for block in layer] == [True] + [False] * (len(layer) - 1)


def test_torchvision_form_has_stride_on_the_3x3():
    backbone = ResNet(RESNET101, caffe=False, width=4)
    assert backbone.layer2[0].conv1.stride == (1, 1)
    assert backbone.layer2[0].conv2.stride == (2, 2)
    assert ResNet(width=4).state_dict().keys() == backbone.state_dict().keys()


def test_form_brings_its_normalisation(classes):
    with torch.device("meta"):
        names = [build_segmenter("deeplab_resnet50", classes, caffe=c).normalise.name for c in (True, False)]
    assert names == ["caffe", "imagenet"]


def test_batch_norm_is_never_trained_but_counts_batches():
    backbone = narrow().train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())
    before = backbone.bn1.running_mean.clone()
    image = torch.randn(2, 3, 64, 64)
    in_training = backbone(image)
    assert not torch.equal(backbone.bn1.running_mean, before)
    assert not torch.allclose(in_training, backbone.eval()(image))


def test_frozen_statistics_stay_through_training():
    backbone = narrow(frozen_statistics=True).train()
    before = copy.deepcopy(backbone.state_dict())
    image = torch.randn(2, 3, 64, 64)
    in_training = backbone(image)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert torch.equal(in_training, backbone.eval()(image))
    assert backbone.train().training


def test_convolutions_start_at_a_hundredth(classes):
    segmenter = DeepLabV2(ResNet((1, 1, 1, 1), width=16), DilatedSum(512, 5), classes, "caffe")
    for module in segmenter.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_head_sums_all_four_convolutions():
    head = DilatedSum(3, 2)
    assert [branch.dilation[0] for branch in head.branches] == [6, 12, 18, 24]
    x = torch.randn(1, 3, 30, 40)
    expected = sum(branch(x) for branch in head.branches)
    torch.testing.assert_close(head(x), expected)
