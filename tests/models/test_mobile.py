import copy

import pytest
import torch
from torch import nn

from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.mobilenet import MobileNetV2


def lively(backbone):
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return backbone


@pytest.mark.parametrize(("height", "width"), [(96, 128), (73, 101)])
def test_dilation_computes_the_classifier_on_a_finer_grid(height, width):
    torch.manual_seed(0)
    backbone = lively(MobileNetV2()).eval()
    classifier = copy.deepcopy(backbone)
    classifier.features[14].conv[1][0].stride = (2, 2)
    for block in classifier.features[14:]:
        block.conv[1][0].dilation = block.conv[1][0].padding = (1, 1)
    image = torch.randn(1, 3, height, width)
    fine, coarse = backbone(image)[2], classifier(image)[2]
    assert coarse.shape[-2:] != fine.shape[-2:]
    torch.testing.assert_close(fine[..., ::2, ::2], coarse, rtol=1e-4, atol=1e-4)


def test_has_torchvisions_names_and_sizes():
    state = MobileNetV2().state_dict()
    assert state["features.0.0.weight"].shape == (32, 3, 3, 3)
    assert state["features.1.conv.0.0.weight"].shape == (32, 1, 3, 3)
    assert state["features.1.conv.2.running_var"].shape == (16,)
    assert state["features.17.conv.1.0.weight"].shape == (960, 1, 3, 3)
    assert state["features.17.conv.2.weight"].shape == (320, 960, 1, 1)
    # torchvision's 3 504 872, less its classifier and its last convolution with batch norm.
    parameters = sum(p.numel() for p in MobileNetV2().parameters())
    assert parameters == 3_504_872 - 1_281_000 - (320 * 1280 + 2 * 1280)


def test_frozen_blocks_stay_and_the_rest_is_trained(classes):
    segmenter = build_segmenter("mobile_deeplab", classes, width=12, frozen_statistics=False).train()
    before = copy.deepcopy(segmenter.state_dict())
    optimiser = torch.optim.SGD(segmenter.parameter_groups(0.1, 1.0))
    segmenter(torch.rand(2, 3, 64, 64) * 255).square().mean().backward()
    optimiser.step()
    changed = {name for name, value in segmenter.state_dict().items() if not torch.equal(value, before[name])}
    blocks = {int(name.split(".")[2]) for name in changed if name.startswith("backbone.")}
    assert blocks == set(range(4, 18))


def test_frozen_statistics_stay_through_training(classes):
    segmenter = build_segmenter("mobile_deeplab", classes, width=12).train()
    before = copy.deepcopy(segmenter.state_dict())
    image = torch.rand(2, 3, 64, 64) * 255
    in_training = segmenter(image)
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())
    assert torch.equal(in_training, segmenter.eval()(image))


@pytest.mark.parametrize("count", [-1, 19])
def test_there_are_eighteen_blocks_to_freeze(count):
    with pytest.raises(UserError, match="0 to 18"):
        MobileNetV2(frozen_blocks=count)
