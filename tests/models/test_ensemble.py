"""An ensemble: the mean of its members' probabilities, and a network like any other to all who use one."""

import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from hf_models import SEGFORMER
from pixda.errors import UserError
from pixda.export.formats import FORMATS, Deployed
from pixda.models import Ensemble, build_segmenter
from pixda.models.saved import load_model, save_model
from pixda.models.upsampling import upsample
from pixda.predict.network import Predictor
from runs import account


@pytest.fixture
def members(classes):
    torch.manual_seed(0)
    members = [build_segmenter("tiny", classes) for _ in range(3)]
    for member in members:
        member.head.weight.data *= 20  # opinions that differ
    return members


@pytest.fixture
def images():
    return torch.rand(2, 3, 20, 28, generator=torch.Generator().manual_seed(1)) * 255


def test_its_softmax_is_the_mean_of_the_members_softmax(members, images):
    """Pixel by pixel in float64, by the definition."""
    members = [member.double() for member in members]
    images = images.double()
    answer = Ensemble(members)(images).detach()
    logits = [member(images).detach() for member in members]
    for b, r, k in [(0, 0, 0), (1, 4, 6), (0, 2, 3)]:
        maps = [[math.exp(float(v)) for v in one[b, :, r, k]] for one in logits]
        for c in range(5):
            mean = sum(one[c] / sum(one) for one in maps) / 3
            assert float(answer[b, c, r, k]) == pytest.approx(math.log(mean), rel=1e-5)
    assert answer.shape == logits[0].shape


def test_far_apart_members_give_no_infinity(members, images):
    for member in members:
        member.head.weight.data *= 1e4
    assert Ensemble(members)(images).isfinite().all()


def test_saved_and_loaded_it_answers_in_the_same_bits(members, images, tmp_path):
    ensemble = Ensemble(members).eval()
    save_model(tmp_path, ensemble, account(method="fda"))
    again, made = load_model(tmp_path)
    assert isinstance(again, Ensemble)
    assert len(again.members) == 3
    assert torch.equal(again.eval()(images), ensemble(images))
    assert made["method"] == "fda"


def test_members_of_any_build_are_saved(classes, tmp_path):
    ensemble = Ensemble([build_segmenter("huggingface", classes, config=SEGFORMER) for _ in range(2)]).eval()
    save_model(tmp_path, ensemble, account())
    images = torch.rand(1, 3, 64, 64) * 255
    assert torch.equal(load_model(tmp_path)[0].eval()(images), ensemble(images))


def test_what_predicts_and_what_exports_take_it_as_it_is(members):
    """Both read the contract only: the same classes and the same confidence, at the image's own size."""
    ensemble = Ensemble(members).eval()
    image = torch.randint(0, 256, (3, 40, 56), dtype=torch.uint8)
    predicted = Predictor(ensemble, Fabric(accelerator="cpu", devices=1), (28, 20))([image])[0]
    assert predicted.classes.shape == (40, 56)
    whole = Predictor(ensemble, Fabric(accelerator="cpu", devices=1), None)([image])[0]
    found, confidence = Deployed(ensemble, confidence=True)(image[None])
    assert torch.equal(found[0], torch.from_numpy(whole.classes))
    torch.testing.assert_close(confidence[0], torch.from_numpy(whole.confidence))
    mean = upsample(torch.stack([m(image[None].float()).softmax(1) for m in members]).mean(0).log(), (40, 56))
    torch.testing.assert_close(confidence[0], mean.softmax(1).amax(1)[0])


@pytest.mark.parametrize("kind", FORMATS)
def test_exported_it_says_the_same_at_every_size(members, tmp_path, kind):
    deployed = Deployed(Ensemble(members).eval(), confidence=True)
    path = tmp_path / f"ensemble{FORMATS[kind].ending}"
    FORMATS[kind].write(deployed, path, {})
    ask = FORMATS[kind].open(path)
    for number, height, width in [(1, 48, 64), (2, 61, 93)]:
        images = torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8)
        found, expected = ask(images.numpy()), deployed(images)
        assert (found[0] != expected[0].numpy()).mean() < 0.001
        assert len(expected[0].unique()) > 1, "one class everywhere would agree with anything"
        np.testing.assert_allclose(found[1], expected[1].detach().numpy(), atol=1e-5)


def test_its_features_are_the_first_members(members, images):
    ensemble, seen = Ensemble(members), []
    ensemble.features().register_forward_hook(lambda module, given, features: seen.append(features))
    ensemble(images)
    assert torch.equal(seen[0], members[0].backbone(members[0].normalise(images)))


def test_one_without_members_is_refused(classes):
    for build in (lambda: Ensemble([]), lambda: build_segmenter("ensemble", classes)):
        with pytest.raises(UserError, match="needs members"):
            build()
