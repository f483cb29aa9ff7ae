"""`network.weights: auto` of SegFormer: an encoder that has seen ImageNet alone, fetched by the real client."""

from pathlib import Path

import pytest
import torch

from hub import in_python, serving
from pixda.config import Experiment, Network
from pixda.data.classes import ClassSet
from pixda.data.config import Data, Target
from pixda.errors import UserError
from pixda.models.weights import ON_THE_HUB
from pixda.training.preparation import first_segmenter

transformers = pytest.importorskip("transformers")

NAME = ON_THE_HUB["huggingface"]["name"]
CODE = """
import sys, torch
from pathlib import Path
from pixda.config import Experiment, Network
from pixda.data.classes import ClassSet
from pixda.data.config import Data, Target
from pixda.training.preparation import first_segmenter
data, target = Data("folder", Path("x")), Target("folder", Path("x"))
experiment = Experiment(data, target, network=Network("huggingface", weights="auto"))
segmenter, said = first_segmenter(experiment, ClassSet.load("camvid-11"))
print(said)
print(segmenter.spec()["normalisation"])
torch.save(segmenter.state_dict(), sys.argv[1])
"""


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A model of the kind that is asked for: a tiny SegFormer encoder with a head for ImageNet's classes."""
    folder = tmp_path_factory.mktemp("classifier")
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[4, 2], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=1000,
    )  # fmt: skip
    torch.manual_seed(1)
    transformers.SegformerForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.5]}')
    return folder


def test_the_encoder_is_fetched_and_the_head_is_new(classifier, tmp_path):
    with serving({NAME: {path.name: path.read_bytes() for path in classifier.iterdir()}}) as address:
        done = in_python(CODE, address, tmp_path / "home", str(tmp_path / "state.pt"))
    assert done.returncode == 0, done.stderr
    assert f"weights from {NAME}" in done.stdout
    assert "'mean': [25.5, 51.0, 76.5" in done.stdout
    state = torch.load(tmp_path / "state.pt")
    encoder = transformers.SegformerForImageClassification.from_pretrained(classifier).segformer.state_dict()
    assert len(encoder) > 20
    for name, value in encoder.items():
        assert torch.equal(state[f"backbone.{name}"], value), name


def network(**options: object) -> Experiment:
    data, target = Data("folder", Path("x")), Target("folder", Path("x"))
    return Experiment(data, target, network=Network("huggingface", options, weights="auto"))


def test_out_of_reach_it_says_what_was_wanted_and_what_else_will_do():
    """The tests are kept off the hub."""
    with pytest.raises(UserError, match=rf"No model '{NAME}' could be loaded .*name a folder with config.json"):
        first_segmenter(network(), ClassSet.load("camvid-11"))


def test_auto_and_a_model_of_ones_own_are_two_wishes():
    with pytest.raises(UserError, match=rf"auto, which means {NAME}, and network.options has name"):
        first_segmenter(network(name="some/model"), ClassSet.load("camvid-11"))


def test_what_auto_fetches_has_not_seen_a_target():
    """A checkpoint that was fine-tuned on Cityscapes would make every few-shot score on it meaningless."""
    assert "finetuned" not in NAME
    assert len(ON_THE_HUB["huggingface"]["revision"]) == 40, "a commit, which nobody can move"
