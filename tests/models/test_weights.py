import copy
import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pixda.errors import UserError
from pixda.models import build_segmenter
from pixda.models.deeplab import DeepLabV2, DilatedSum, ResNet
from pixda.models.weights import load_weights


def lively(module):
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
            nn.init.normal_(part.weight)
    return module


def resnet(blocks=(1, 1, 2, 1), caffe=True, width=4):
    return lively(ResNet(blocks, caffe, width=width))


@pytest.fixture
def deeplab(classes):
    def build(blocks=(1, 1, 2, 1), caffe=True, width=4):
        backbone = resnet(blocks, caffe, width)
        head = DilatedSum(backbone.channels, 5)
        return DeepLabV2(backbone, head, classes, "caffe" if caffe else "imagenet")

    return build


@pytest.fixture
def mobile(classes):
    def build(**options):
        return build_segmenter("mobile_deeplab", classes, width=12, **options)

    return build


@pytest.fixture
def stored(tmp_path):
    def store(state, name="weights.pth", **options):
        torch.save(state, tmp_path / name, **options)
        return tmp_path / name

    return store


def without_counters(state):
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def assert_holds(module, state):
    own = module.state_dict()
    assert all(torch.equal(own[name], value.float()) for name, value in without_counters(state).items())


def test_caffe_style(deeplab, stored):
    """In PyTorch's old file format. The classifier is of another task, although it has as many classes."""
    donor = without_counters(resnet().state_dict())
    file = {f"Scale.{name}": value for name, value in donor.items()}
    file["Scale.layer5.conv2d_list.0.weight"] = torch.zeros(5, 128, 3, 3)
    file["Scale.layer5.conv2d_list.0.bias"] = torch.zeros(5)
    segmenter = deeplab()
    head = copy.deepcopy(segmenter.head.state_dict())
    report = load_weights(segmenter, stored(file, _use_new_zipfile_serialization=False))
    assert_holds(segmenter.backbone, donor)
    assert_holds(segmenter.head, head)
    assert sorted(report.loaded) == sorted(f"backbone.{name}" for name in donor)
    assert report.skipped == ["Scale.layer5.conv2d_list.0.weight", "Scale.layer5.conv2d_list.0.bias"]
    assert report.left_at_random == [f"head.{name}" for name in head]
    assert report.notes == []


def test_torchvision_resnet(deeplab, stored):
    donor = resnet(caffe=False).state_dict()
    file = donor | {"fc.weight": torch.zeros(10, 128), "fc.bias": torch.zeros(10)}
    segmenter = deeplab(caffe=False)
    report = load_weights(segmenter, stored(file))
    assert_holds(segmenter.backbone, donor)
    assert report.skipped == ["fc.weight", "fc.bias"]
    assert report.notes == []


def mobilenet_file(mobile, folded):
    donor = mobile().backbone
    if not folded:
        lively(donor)
    return without_counters(donor.state_dict()) | {
        "features.18.0.weight": torch.zeros(1280, 320, 1, 1),
        "classifier.1.weight": torch.zeros(1000, 1280),
    }


def test_folded_half_precision_mobilenet(mobile, stored):
    file = {name: value.half() for name, value in mobilenet_file(mobile, folded=True).items()}
    segmenter = mobile()
    report = load_weights(segmenter, stored(file))
    assert report.skipped == ["features.18.0.weight", "classifier.1.weight"]
    assert report.notes == []
    assert segmenter.backbone.features[2].conv[2].weight.dtype == torch.float32
    assert_holds(segmenter.backbone, {k: v for k, v in file.items() if k not in report.skipped})
    assert not any(m.training for m in segmenter.train().modules() if isinstance(m, nn.BatchNorm2d))


def test_torchvision_mobilenet(mobile, stored):
    path = stored(mobilenet_file(mobile, folded=False))
    assert load_weights(mobile(normalisation="imagenet"), path).notes == []
    assert "normalisation='imagenet'" in load_weights(mobile(), path).notes[0]


def test_folded_statistics_that_would_be_trained_are_noted(mobile, stored):
    path = stored(mobilenet_file(mobile, folded=True))
    assert "frozen_statistics=True" in load_weights(mobile(frozen_statistics=False), path).notes[0]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_own_style_brings_the_head(deeplab, stored, tmp_path, suffix):
    donor, segmenter = deeplab(), deeplab()
    path = tmp_path / f"own{suffix}"
    if suffix == ".pth":
        stored(donor.state_dict(), path.name)
    else:
        save_file(donor.state_dict(), path)
    report = load_weights(segmenter, path)
    assert_holds(segmenter, donor.state_dict())
    assert report.left_at_random == report.skipped == []


@pytest.mark.parametrize(
    ("head", "other"), [("layer6", {"module.layer5.conv2d_list.0.weight": torch.zeros(5, 64, 3, 3)}), ("layer5", {})]
)
def test_adaptsegnets_code_calls_the_head_layer6_and_an_only_one_layer5(deeplab, stored, head, other):
    donor, segmenter = deeplab(), deeplab()
    file = {f"module.{name}": value for name, value in donor.backbone.state_dict().items()} | other
    for name, value in donor.head.state_dict().items():
        file[f"module.{name.replace('branches', f'{head}.conv2d_list')}"] = value
    report = load_weights(segmenter, stored(file))
    assert_holds(segmenter.head, donor.head.state_dict())
    assert report.skipped == [name.removeprefix("module.") for name in other]
    assert report.left_at_random == []


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_prefix_and_wrapper_are_peeled_off(deeplab, stored, wrapper):
    donor, segmenter = resnet().state_dict(), deeplab()
    file = {"epoch": 3, wrapper: {f"module.{name}": value for name, value in donor.items()}}
    load_weights(segmenter, stored(file))
    assert_holds(segmenter.backbone, donor)


def test_a_head_for_other_classes_stays_at_random(deeplab, stored):
    file = deeplab().state_dict()
    for name in list(file):
        if name.startswith("head."):
            file[name] = torch.zeros(19, *file[name].shape[1:])
    report = load_weights(deeplab(), stored(file))
    assert report.skipped == report.left_at_random
    assert len(report.skipped) == 8


def test_style_of_the_other_resnet_is_noted(deeplab, stored):
    caffe = stored({f"Scale.{k}": v for k, v in resnet().state_dict().items()}, "caffe.pth")
    vision = stored(resnet().state_dict() | {"fc.weight": torch.zeros(10, 128)}, "vision.pth")
    assert "note: Caffe-style weights" in str(load_weights(deeplab(caffe=False), caffe))
    assert "caffe=False" in str(load_weights(deeplab(caffe=True), vision))


def vgg_file(segmenter):
    """The names and, at width 1, the shapes of torchvision's vgg16: two layers of it are lines, not windows."""
    donor = lively(segmenter.backbone).state_dict()
    file = {name: value for name, value in donor.items() if name.startswith("features.")}
    file["classifier.0.weight"] = donor["fc6.weight"].flatten(1)
    file["classifier.3.weight"] = donor["fc7.weight"].flatten(1)
    file |= {"classifier.0.bias": donor["fc6.bias"], "classifier.3.bias": donor["fc7.bias"]}
    return file | {"classifier.6.weight": torch.zeros(1000, file["classifier.3.bias"].numel())}


@pytest.fixture
def fcn8s(classes):
    def build(width=1 / 32):
        return build_segmenter("fcn8s", classes, width=width)

    return build


def test_vgg16_becomes_fcn8s(fcn8s, stored):
    """Seven by seven cells of the last pooling give, in the middle, what the classifier's two layers give of them."""
    file = vgg_file(fcn8s())
    segmenter = fcn8s().eval()
    head = copy.deepcopy(segmenter.head.state_dict())
    report = load_weights(segmenter, stored(file))
    assert report.skipped == ["classifier.6.weight"]
    assert report.left_at_random == [f"head.{name}" for name in head]
    assert report.notes == []
    assert_holds(segmenter.head, head)
    assert_holds(segmenter.backbone.features, {k.removeprefix("features."): v for k, v in file.items() if "feat" in k})
    pooled = torch.rand(3, 16, 7, 7)
    lines = pooled.flatten(1)
    for layer, name in ((segmenter.backbone.fc6, "classifier.0"), (segmenter.backbone.fc7, "classifier.3")):
        pooled = layer(pooled)
        lines = nn.functional.linear(lines, file[f"{name}.weight"], file[f"{name}.bias"])
        torch.testing.assert_close(pooled[:, :, 0, 0], lines, rtol=1e-4, atol=1e-5)


def test_other_depths_of_vgg_are_refused(fcn8s, stored):
    file = vgg_file(fcn8s())
    deeper = file | {"features.16.weight": torch.zeros(8, 8, 3, 3)}  # VGG19 has its fourth 256 here
    refused(fcn8s(), stored(deeper), r"holds features\.16\.weight, which this network lacks")
    without = {name: value for name, value in file.items() if not name.startswith("classifier.0")}
    refused(fcn8s(), stored(without), r"lacks backbone\.fc6\.weight, backbone\.fc6\.bias")


def test_pretrained_weights_want_the_whole_width(fcn8s, stored):
    file = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    refused(fcn8s(width=1 / 4), stored(file), "VGG16 of width 0.25: pretrained weights are for width 1")


def refused(segmenter, path, match, **options):
    before = copy.deepcopy(segmenter.state_dict())
    with pytest.raises(UserError, match=match):
        load_weights(segmenter, path, **options)
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())


def test_wrong_shape_names_key_and_both_shapes(deeplab, stored):
    path = stored(resnet(width=8).state_dict())
    refused(deeplab(), path, r"conv1.weight of shape \(8, 3, 7, 7\) .* shape \(4, 3, 7, 7\)")


def test_shallower_and_deeper_networks_are_refused(deeplab, stored):
    path = stored(resnet((1, 1, 2, 1)).state_dict())
    refused(deeplab((1, 1, 3, 1)), path, r"lacks backbone\.layer3\.2\.")
    refused(deeplab((1, 1, 1, 1)), path, r"holds layer3\.1\..* this network lacks")


def test_another_network_is_told_the_styles(deeplab, mobile, stored):
    refused(deeplab(), stored(mobilenet_file(mobile, True)), r"Scale\.conv1\.weight.*features\.0\.0\.weight")
    refused(deeplab(), stored({}, "empty.pth"), "No tensor of")


def test_another_normalisation_is_refused(deeplab, stored):
    refused(deeplab(caffe=False), stored(deeplab(caffe=True).state_dict()), "another normalisation")


def test_missing_file(deeplab, tmp_path):
    refused(deeplab(), tmp_path / "none.pth", "There is no weights file")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_file(deeplab, tmp_path, stored, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(stored(resnet().state_dict()).read_bytes()[:5000])
    refused(deeplab(), path, "cannot be read as plain tensors")


def test_not_a_state_dict(deeplab, stored):
    refused(deeplab(), stored([torch.zeros(2)]), "holds a list")


def test_hash_of_a_path(deeplab, stored):
    path = stored(resnet().state_dict())
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    load_weights(deeplab(), path, right.upper())
    refused(deeplab(), path, f"has sha256 {right}", sha256="0" * 64)
