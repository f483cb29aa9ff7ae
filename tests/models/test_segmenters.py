"""What every segmenter promises, whatever it is made of."""

import copy
import json

import pytest
import torch

from hf_models import FAMILIES
from pixda.errors import UserError
from pixda.models import ARCHITECTURES, build_segmenter
from pixda.models.deeplab import DeepLabV2, DilatedSum, ResNet
from pixda.models.normalise import Normalise

# Architectures with their defaults, an ensemble of two, and the families of Hugging Face in their smallest form.
NETWORKS = {name: (name, {}) for name in ARCHITECTURES if name != "huggingface"}
NETWORKS["ensemble"] = ("ensemble", {"members": [{"architecture": "mobile_deeplab", "width": 12}] * 2})
NETWORKS["fcn8s"] = ("fcn8s", {"width": 1 / 16})  # test_fcn8s.py has the whole one
NETWORKS |= {name: ("huggingface", {"config": config}) for name, config in FAMILIES.items()}
COMPUTED = [name for name in NETWORKS if "resnet" not in name]  # test_deeplab.py computes a narrow ResNet
STRIDES = {"fcn8s": 1, "mobilevit": 32, "upernet-convnext": 1, "upernet-swin": 1, "beit": 2}
SQUARE = ("dpt",)  # takes and gives squares


def build(network, classes):
    """Large networks without memory or arithmetic: shapes and the paths of gradients are the same."""
    architecture, options = NETWORKS[network]
    with torch.device("cpu" if network in COMPUTED else "meta"):
        return build_segmenter(architecture, classes, **options)


@pytest.fixture(scope="module")
def network(request):
    return request.param


@pytest.fixture(scope="module")
def segmenter(network, classes):
    return build(network, classes)


def images(segmenter, height=67, width=93, batch=2):
    device = next(segmenter.parameters()).device
    return torch.rand(batch, 3, height, width, device=device) * 255


@pytest.mark.parametrize("network", NETWORKS, indirect=True, scope="module")
class TestContract:
    def test_logits_have_one_channel_a_class_at_the_networks_stride(self, network, segmenter):
        strides = (STRIDES[network],) if network in STRIDES else (4, 8)
        for height, width in [(64, 96), (67, 93), (128, 32)]:
            batch, channels, h, w = segmenter(images(segmenter, height, width)).shape
            assert (batch, channels) == (2, 5)
            if network in SQUARE:
                assert h == w
            else:
                most = 4 if network == "beit" else 1  # its patches of 8 leave up to 7 pixels out
                assert any(abs(h - height / s) <= most and abs(w - width / s) <= most for s in strides)

    def test_groups_hold_every_trainable_parameter_once(self, network, segmenter):
        groups = segmenter.parameter_groups(lr=1e-3, head_lr_factor=10.0)
        grouped = [id(p) for group in groups for p in group["params"]]
        assert sorted(grouped) == sorted(id(p) for p in segmenter.parameters() if p.requires_grad)
        assert {group["name"]: group["lr"] for group in groups} == pytest.approx({"backbone": 1e-3, "head": 1e-2})
        parts = segmenter.members if network == "ensemble" else [segmenter]
        heads = {id(p) for part in parts for p in part.head.parameters() if p.requires_grad}
        assert {id(p) for p in groups[1]["params"]} == heads

    def test_every_trainable_parameter_takes_part(self, segmenter):
        segmenter.train()(images(segmenter)).sum().backward()
        without = [name for name, p in segmenter.named_parameters() if p.requires_grad != (p.grad is not None)]
        assert without == []

    def test_spec_rebuilds_the_architecture(self, segmenter, classes):
        spec = json.loads(json.dumps(segmenter.spec()))
        with torch.device(next(segmenter.parameters()).device):
            again = build_segmenter(**spec, classes=classes)
        assert again.spec() == spec
        shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (again, segmenter)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("network", COMPUTED, indirect=True, scope="module")
class TestNumbers:
    def test_same_weights_same_logits(self, network, segmenter, classes):
        segmenter.eval()
        other, x = build(network, classes).eval(), images(segmenter)
        assert not torch.equal(segmenter(x), other(x))
        other.load_state_dict(segmenter.state_dict())
        assert torch.equal(segmenter(x), other(x))

    def test_leaves_the_images_alone(self, segmenter):
        x = images(segmenter)
        before = x.clone()
        segmenter(x)
        assert torch.equal(x, before)

    def test_memory_format_does_not_matter(self, segmenter):
        segmenter.eval()
        x = images(segmenter)
        last = copy.deepcopy(segmenter).to(memory_format=torch.channels_last)
        found = last(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(found, segmenter(x), rtol=1e-4, atol=1e-4)

    def test_logits_are_finite_and_follow_the_image(self, segmenter):
        logits = segmenter(torch.stack([torch.zeros(3, 64, 64), torch.full((3, 64, 64), 255.0)]))
        assert logits.isfinite().all()
        assert not torch.equal(logits[0], logits[1])


def test_unknown_names_list_the_choices(classes):
    with pytest.raises(UserError, match=r"'unet'.*deeplab_resnet101, fcn8s, mobile_deeplab, .*huggingface, tiny"):
        build_segmenter("unet", classes)
    with pytest.raises(UserError, match=r"'mobile_deeplab' has no option 'depth'; it has width, dilations, "):
        build_segmenter("mobile_deeplab", classes, depth=3)


def test_options_reach_the_spec(classes):
    spec = build_segmenter("mobile_deeplab", classes, width=12, dilations=(1, 3)).spec()
    assert spec["width"] == 12
    assert spec["dilations"] == [1, 3]
    assert spec["frozen_blocks"] == 4


def test_a_network_put_together_by_hand_has_no_spec(classes):
    by_hand = DeepLabV2(ResNet((1, 1, 1, 1), width=4), DilatedSum(128, 5), classes, "caffe")
    with pytest.raises(UserError, match="build_segmenter"):
        by_hand.spec()


IMAGES = torch.rand(2, 3, 5, 7) * 255


def test_caffe_is_bgr_minus_the_bgr_mean():
    red, green, blue = IMAGES.unbind(1)
    expected = torch.stack([blue - 104.00698793, green - 116.66876762, red - 122.67891434], dim=1)
    torch.testing.assert_close(Normalise("caffe")(IMAGES), expected)


def test_imagenet_is_torchvisions_on_a_0_to_255_scale():
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(Normalise("imagenet")(IMAGES), (IMAGES / 255 - mean) / std)


def test_unknown_name_lists_the_choices():
    with pytest.raises(UserError, match="caffe, imagenet, efficientnet, symmetric"):
        Normalise("none")
