"""What every segmenter promises, whatever it is made of."""

import copy
import json

import pytest
import torch

from hf_models import FAMILIES
from pixda.errors import UserError
from pixda.models import ARCHITECTURES, build_segmenter
from pixda.models.deeplab import DeepLabV2, DilatedSum
from pixda.models.resnet import ResNet

# Architectures with their defaults, an ensemble of two, and the families of Hugging Face in their smallest form.
NETWORKS = {name: (name, {}) for name in ARCHITECTURES if name != "huggingface"}
NETWORKS["ensemble"] = ("ensemble", {"members": [{"architecture": "mobile_deeplab", "width": 12}] * 2})
NETWORKS |= {"fcn8s": ("fcn8s", {"width": 1 / 16})}  # test_fcn8s.py has the whole one
NETWORKS |= {name: ("huggingface", {"config": config}) for name, config in FAMILIES.items()}
STRIDES = {"fcn8s": 1, "mobilevit": 32, "upernet-convnext": 1, "upernet-swin": 1, "beit": 2}
SQUARE = ("dpt",)  # takes and gives squares


def build(network, classes):
    """Large networks without memory or arithmetic: shapes and gradients' paths are all there."""
    architecture, options = NETWORKS[network]
    with torch.device("meta" if "resnet" in architecture else "cpu"):
        return build_segmenter(architecture, classes, **options)


def images(segmenter, height=67, width=93, batch=2):
    device = next(segmenter.parameters()).device
    return torch.rand(batch, 3, height, width, device=device) * 255


@pytest.mark.parametrize("architecture", NETWORKS)
class TestContract:
    def test_logits_have_one_channel_a_class_at_the_networks_stride(self, architecture, classes):
        segmenter = build(architecture, classes)
        strides = (STRIDES[architecture],) if architecture in STRIDES else (4, 8)
        for height, width in [(64, 96), (67, 93), (128, 32)]:
            batch, channels, h, w = segmenter(images(segmenter, height, width)).shape
            assert (batch, channels) == (2, 5)
            if architecture in SQUARE:
                assert h == w
            else:
                most = 4 if architecture == "beit" else 1  # its patches of 8 leave up to 7 pixels out
                assert any(abs(h - height / s) <= most and abs(w - width / s) <= most for s in strides)

    def test_carries_its_classes(self, architecture, classes):
        assert build(architecture, classes).classes is classes

    def test_groups_hold_every_trainable_parameter_once(self, architecture, classes):
        segmenter = build(architecture, classes)
        groups = segmenter.parameter_groups(lr=1e-3, head_lr_factor=10.0)
        grouped = [id(p) for group in groups for p in group["params"]]
        assert sorted(grouped) == sorted(id(p) for p in segmenter.parameters() if p.requires_grad)
        assert {group["name"]: group["lr"] for group in groups} == pytest.approx({"backbone": 1e-3, "head": 1e-2})
        parts = segmenter.members if architecture == "ensemble" else [segmenter]
        heads = {id(p) for part in parts for p in part.head.parameters() if p.requires_grad}
        assert {id(p) for p in groups[1]["params"]} == heads
        torch.optim.SGD(groups, lr=1.0)

    def test_every_trainable_parameter_takes_part(self, architecture, classes):
        segmenter = build(architecture, classes).train()
        segmenter(images(segmenter)).sum().backward()
        without = [name for name, p in segmenter.named_parameters() if p.requires_grad != (p.grad is not None)]
        assert without == []

    def test_spec_rebuilds_the_architecture(self, architecture, classes):
        segmenter = build(architecture, classes)
        spec = json.loads(json.dumps(segmenter.spec()))
        with torch.device(next(segmenter.parameters()).device):
            again = build_segmenter(**spec, classes=classes)
        assert again.spec() == spec
        assert {k: v.shape for k, v in again.state_dict().items()} == {
            k: v.shape for k, v in segmenter.state_dict().items()
        }

    def test_unknown_option_names_the_known_ones(self, architecture, classes):
        with pytest.raises(UserError, match="has no option 'depth'"):
            build_segmenter(NETWORKS[architecture][0], classes, depth=3)

    def test_a_copy_stands_alone(self, architecture, classes):
        segmenter = build(architecture, classes)
        other = copy.deepcopy(segmenter)
        assert not {id(p) for p in segmenter.parameters()} & {id(p) for p in other.parameters()}


# The large ones would take too long here; test_deeplab.py computes a narrow one.
@pytest.mark.parametrize("architecture", [name for name in NETWORKS if "resnet" not in name])
class TestNumbers:
    def test_same_weights_same_logits(self, architecture, classes):
        segmenter, other = (build(architecture, classes).eval() for _ in range(2))
        x = images(segmenter)
        assert not torch.equal(segmenter(x), other(x))
        other.load_state_dict(segmenter.state_dict())
        assert torch.equal(segmenter(x), other(x))

    def test_leaves_the_images_alone(self, architecture, classes):
        segmenter = build(architecture, classes)
        x = images(segmenter)
        before = x.clone()
        segmenter(x)
        assert torch.equal(x, before)

    def test_memory_format_does_not_matter(self, architecture, classes):
        segmenter = build(architecture, classes).eval()
        x = images(segmenter)
        plain = segmenter(x)
        last = copy.deepcopy(segmenter).to(memory_format=torch.channels_last)
        torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), plain, rtol=1e-4, atol=1e-4)

    def test_logits_are_finite_and_follow_the_image(self, architecture, classes):
        logits = build(architecture, classes)(torch.stack([torch.zeros(3, 64, 64), torch.full((3, 64, 64), 255.0)]))
        assert logits.isfinite().all()
        assert not torch.equal(logits[0], logits[1])


def test_unknown_architecture_lists_the_choices(classes):
    with pytest.raises(
        UserError,
        match=r"'unet'.*deeplab_resnet101, fcn8s, mobile_deeplab, .*lite2, huggingface, tiny, ensemble",
    ):
        build_segmenter("unet", classes)


def test_options_reach_the_spec(classes):
    spec = build_segmenter("mobile_deeplab", classes, width=12, dilations=(1, 3)).spec()
    assert spec["width"] == 12
    assert spec["dilations"] == [1, 3]
    assert spec["frozen_blocks"] == 4


def test_a_network_put_together_by_hand_has_no_spec(classes):
    by_hand = DeepLabV2(ResNet((1, 1, 1, 1), width=4), DilatedSum(128, 5), classes, "caffe")
    with pytest.raises(UserError, match="build_segmenter"):
        by_hand.spec()


def test_tiny_is_tiny(classes):
    assert sum(p.numel() for p in build_segmenter("tiny", classes).parameters()) < 1000
