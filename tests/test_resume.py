"""Kill a run in each phase, go on, and get the unbroken run's weights to the last bit."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from pixda.__main__ import main
from runs import start, two_domains, unlabelled, wait_for, words


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out)) == 0
    return root, out


@pytest.mark.parametrize("phase", ["pretrain", "adapt", "distil"])
def test_killed_in_a_phase_and_resumed_the_weights_are_bit_equal(unbroken, tmp_path, phase):
    root, whole = unbroken
    out = tmp_path / "broken"
    process = start(root, out)
    wait_for(process, out / f"logs/{phase}.csv", 4)
    process.kill()
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, "--resume=true")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for log in ("pretrain", "adapt", "distil"):
        steps = [row["step"] for row in csv.DictReader((out / f"logs/{log}.csv").open())]
        assert len(steps) == len(set(steps)), "a row of the log is there twice"


@pytest.mark.parametrize(("method", "phase"), [("adaptsegnet", "align"), ("fsda", "pair")])
def test_killed_with_two_heads_and_resumed_the_weights_are_bit_equal(unbroken, tmp_path, method, phase):
    """The auxiliary head, the discriminators and FSDA's previous batch are in no model, and must come back."""
    root, _ = unbroken
    whole, out = tmp_path / "whole", tmp_path / "broken"
    assert main(words(root, whole, method=method)) == 0
    trained = torch.load(whole / "checkpoint.pt", weights_only=True)["trainees"]["segmenter"]["network"]
    kept = load_file(whole / "model.safetensors")
    assert all(torch.equal(value, trained[f"segmenter.{name}"]) for name, value in kept.items())
    assert any(name.startswith("auxiliary.") for name in trained)
    process = start(root, out, method=method)
    wait_for(process, out / f"logs/{phase}.csv", 4)
    process.kill()
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, "--resume=true", method=method)) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("phase", [pytest.param("joint", marks=pytest.mark.slow), "self-train"])
def test_killed_in_self_training_and_resumed_the_teacher_comes_back(unbroken, tmp_path, phase):
    root, _ = unbroken
    more = ["--recipe.labelled_steps=40", "--recipe.teaching_steps=60", *unlabelled(root)]
    whole, out = tmp_path / "whole", tmp_path / "broken"
    assert main(words(root, whole, *more, method="self_training")) == 0
    process = start(root, out, *more, method="self_training")
    wait_for(process, out / f"logs/{phase}.csv", 4)
    process.kill()
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, "--resume=true", *more, method="self_training")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def unbroken_rounds(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    more = ["--recipe.steps=120", "--recipe.rounds=2", *unlabelled(root)]
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out, *more, method="fda")) == 0
    return root, out, more


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param("transfer", marks=pytest.mark.slow),
        "self-train-1",
        pytest.param("self-train-2", marks=pytest.mark.slow),
    ],
)
def test_several_networks_in_rounds_are_resumed_with_their_beginnings_and_their_pseudo_labels(
    unbroken_rounds, tmp_path, phase
):
    root, whole, more = unbroken_rounds
    out = tmp_path / "broken"
    process = start(root, out, *more, method="fda")
    wait_for(process, out / f"logs/{phase}.csv", 8)  # a row is written before its checkpoint: that of step 4 is there
    process.kill()
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, "--resume=true", *more, method="fda")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_killed_in_the_naae_style_phase_with_dropout_the_weights_are_bit_equal(unbroken, tmp_path):
    """Five networks go on, and so does the dropout of FCN8s."""
    root, _ = unbroken
    more = ("--network.architecture=fcn8s", "--network.options={width: 0.03125}", "--recipe.pretrain_steps=4")
    whole, out = tmp_path / "whole", tmp_path / "broken"
    assert main(words(root, whole, *more, method="naae")) == 0
    process = start(root, out, *more, method="naae")
    wait_for(process, out / "logs/weigh.csv", 4)
    process.kill()
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    assert main(words(root, out, *more, "--resume=true", method="naae")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_damaged_checkpoint_is_named(unbroken, tmp_path, capsys):
    root, whole = unbroken
    out = tmp_path / "damaged"
    out.mkdir()
    data = (whole / "checkpoint.pt").read_bytes()
    (out / "checkpoint.pt").write_bytes(data[: len(data) // 2])
    assert main(words(root, out, "--resume=true")) == 1
    message = capsys.readouterr().err
    assert str(out / "checkpoint.pt") in message
    assert len(message.strip().splitlines()) == 1
