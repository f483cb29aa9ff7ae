"""Kill a run in each phase, go on, and get the unbroken run's weights to the last bit."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from injuries import killed_at_step, killed_when_logged
from pixda.__main__ import main
from runs import unlabelled, words


@pytest.fixture(scope="module")
def unbroken(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out)) == 0
    return out


@pytest.mark.parametrize("phase", ["pretrain", "adapt", "distil"])
def test_killed_in_a_phase_and_resumed_the_weights_are_bit_equal(root, unbroken, tmp_path, phase):
    out = tmp_path / "broken"
    killed_when_logged(out / f"logs/{phase}.csv", 4, words(root, out, "--resume=true"))
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, "--resume=true")) == 0
    assert (out / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()
    for log in ("pretrain", "adapt", "distil"):
        steps = [row["step"] for row in csv.DictReader((out / f"logs/{log}.csv").open())]
        assert len(steps) == len(set(steps)), "a row of the log is there twice"


# Each with the smallest run that has two checkpoints or more in every phase.
SHORT = ("--recipe.pretrain_steps=2", "--checkpoint_every=1")
MORE = {
    "adaptsegnet": ("--recipe.steps=4",),
    "fsda": ("--recipe.steps=4",),
    "self_training": ("--recipe.teaching_steps=5",),
    "fda": ("--recipe.steps=12", "--recipe.rounds=2"),
    "naae": ("--network.architecture=fcn8s", "--network.options={width: 0.03125}", "--recipe.steps=4"),
}


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """Trains a method's unbroken run when it is first asked for; gives its options and its folder."""
    runs = {}

    def of(method):
        if method not in runs:
            more = [*SHORT, *MORE[method], *(unlabelled(root) if method in ("self_training", "fda") else ())]
            runs[method] = more, tmp_path_factory.mktemp("runs") / method
            assert main(words(root, runs[method][1], *more, method=method)) == 0
        return runs[method]

    return of


@pytest.mark.parametrize(
    ("method", "step", "number"),
    [
        pytest.param("adaptsegnet", "ImageAdversarial.step", 3, id="an-auxiliary-head-and-discriminators"),
        pytest.param("fsda", "Pairing.step", 3, id="the-previous-batch"),
        pytest.param("self_training", "Supervised.step", 5, id="before-the-teacher", marks=pytest.mark.slow),
        pytest.param("self_training", "MeanTeacher.step", 4, id="the-teacher"),
        # Two rounds after the first, of four steps each.
        pytest.param("fda", "Fourier.step", 3, id="several-networks", marks=pytest.mark.slow),
        pytest.param("fda", "Fourier.step", 7, id="pseudo-labels-and-the-networks-beginnings"),
        pytest.param("fda", "Fourier.step", 11, id="the-second-round", marks=pytest.mark.slow),
        pytest.param("naae", "Weighting.step", 3, id="five-networks-with-dropout"),
    ],
)
def test_killed_in_a_step_what_is_in_no_model_comes_back_bit_equal(root, whole, tmp_path, method, step, number):
    more, unbroken = whole(method)
    out = tmp_path / "broken"
    killed_at_step(step, number, words(root, out, "--resume=true", *more, method=method))
    assert not (out / "model.safetensors").exists()
    assert torch.load(out / "checkpoint.pt", weights_only=True)["position"]["step"] > 0, "in the middle of a phase"
    assert main(words(root, out, "--resume=true", *more, method=method)) == 0
    assert (out / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()


@pytest.mark.parametrize("method", ["adaptsegnet", "fsda"])
def test_the_model_is_the_trained_network_without_its_second_head(whole, method):
    _, out = whole(method)
    trained = torch.load(out / "checkpoint.pt", weights_only=True)["trainees"]["segmenter"]["network"]
    kept = load_file(out / "model.safetensors")
    assert all(torch.equal(value, trained[f"segmenter.{name}"]) for name, value in kept.items())
    assert any(name.startswith("auxiliary.") for name in trained)
