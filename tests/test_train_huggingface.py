"""`pixda train` with models of Hugging Face from local folders: all phases, and back without the folder."""

import json
import shutil

import pytest
import torch

import hf_models
from pixda.__main__ import main
from pixda.models.saved import load_model
from runs import assert_same_scores, refused, words

SHORT = ("--recipe.pretrain_steps=4", "--recipe.adaptation_steps=4", "--recipe.distillation.steps=2")


def network(folder):
    options = json.dumps({"name": str(folder)})
    # Neither side of the crop is a multiple of 32, one of the images is none of 16.
    return ["--network.architecture=huggingface", f"--network.options={options}", "--size=[72,50]"]


@pytest.mark.parametrize(
    "family", ["segformer", *(pytest.param(name, marks=pytest.mark.slow) for name in ("upernet-convnext", "dpt"))]
)
def test_a_run_through_all_phases_leaves_a_model_that_needs_no_folder_and_no_hub(root, tmp_path, capsys, family):
    folder = hf_models.save(tmp_path / "model", hf_models.FAMILIES[family])
    out = tmp_path / "run"
    # A threshold of zero keeps every image, so that adaptation has all its steps.
    assert main(words(root, out, *network(folder), *SHORT, "--recipe.selection.delta=0")) == 0
    assert "tensors loaded" in capsys.readouterr().out
    shutil.rmtree(folder)
    segmenter, made = load_model(out)
    assert made["steps"] == {"pretrain": 4, "adapt": 4, "distil": 2}
    assert "left at random: head." in made["first_weights"]
    assert segmenter.spec()["config"]["model_type"] == hf_models.FAMILIES[family]["model_type"]
    assert segmenter.eval()(torch.rand(1, 3, 45, 61) * 255).isfinite().all()
    scored = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes", "--data.split=val"]
    assert main(["evaluate", f"--model={out}", *scored, f"--out={tmp_path / 'again.json'}"]) == 0
    assert_same_scores(tmp_path / "again.json", out / "scores.json")


def test_a_method_with_a_second_head_is_refused_with_the_networks_that_have_one(root, tmp_path, capsys):
    """Before the data is opened: at once."""
    typed = ["--network.architecture=huggingface", f"--network.options={json.dumps({'config': hf_models.SEGFORMER})}"]
    message = refused(words(root, tmp_path / "run", *typed, "--size=[72,50]", method="advent"), capsys)
    assert all(name in message for name in ("deeplab_resnet101", "mobile_deeplab", "efficientnet_lite0"))
    assert not (tmp_path / "run").exists()


def test_a_model_that_cannot_be_trained_is_refused_in_one_line(root, tmp_path, capsys):
    options = json.dumps({"config": hf_models.UPERNET})
    typed = ["--network.architecture=huggingface", f"--network.options={options}", "--recipe.batch=1"]
    message = refused(words(root, tmp_path / "run", *typed), capsys)
    assert "UperNetForSemanticSegmentation cannot be trained on batches of 1" in message
    assert not (tmp_path / "run").exists()
