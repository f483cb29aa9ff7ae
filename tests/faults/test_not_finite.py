"""NaN and infinity: the run stops at once, names the images, saves no such network; or leaves the step out."""

import json
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from injuries import stopped
from pixda.__main__ import main
from pixda.data.domains import Batch, StepBatch
from pixda.models.segmenter import Tiny
from pixda.training.readings import NotFinite, Readings
from runs import refused, words

SHORT = "--recipe.more_steps=0"


def test_a_learning_rate_that_is_far_too_high_stops_at_once_and_names_the_images(root, tmp_path, capsys):
    out = tmp_path / "run"
    message = refused(words(root, out, SHORT, "--recipe.segmenter.lr=1e30", method="source_only"), capsys)
    assert "The loss 'source' is nan at step" in message
    assert "--recipe.segmenter.lr" in message
    about = json.loads((out / "not_finite.json").read_text())
    assert f"at step {about['step']} of phase {about['phase']}" in message
    assert about["losses"]["source"] == "nan"
    assert len(about["images"]["source"]) == 2
    assert all(Path(image).is_file() for image in about["images"]["source"])
    assert not (out / "model.safetensors").exists()
    # Steps 1 and 2 were finite, so there may be no checkpoint at all; one that is there is finite.
    if (out / "checkpoint.pt").exists():
        network = torch.load(out / "checkpoint.pt", weights_only=True)["trainees"]["segmenter"]["network"]
        assert all(value.isfinite().all() for value in network.values())


def blown_up(monkeypatch, steps):
    """A network whose output overflows at these of its calls, as half precision does."""
    forward, calls = Tiny.forward, []

    def overflowing(self, images):
        calls.append(images)
        return forward(self, images) * (float("inf") if self.training and len(calls) in steps else 1)

    monkeypatch.setattr(Tiny, "forward", overflowing)


def test_so_many_steps_are_left_out_and_one_more_stops(root, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        blown_up(patched, {6, 9, 13})
        assert main(words(root, out, SHORT, "--skip_not_finite=2", method="source_only")) == 1
    printed = capsys.readouterr()
    assert "left out, 1 of at most 2: step 6 of pretrain" in printed.out
    assert "left out, 2 of at most 2: step 9 of pretrain" in printed.out
    assert "The gradients are not finite at step 13 of phase pretrain" in printed.err
    assert "step 12 of phase pretrain" in printed.err, "what is saved, and good"
    assert main(words(root, out, SHORT, "--skip_not_finite=3", "--resume=true", method="source_only")) == 0
    assert all(value.isfinite().all() for value in load_file(out / "model.safetensors").values())
    assert json.loads((out / "model.json").read_text())["made"]["skipped"]["steps"] == 2


def test_a_step_that_is_left_out_changes_nothing(root, tmp_path, monkeypatch):
    """Neither weights nor statistics: the checkpoint after it has those of the one before."""
    out = tmp_path / "run"
    given = (SHORT, "--skip_not_finite=1", "--checkpoint_every=1", "--network.architecture=fcn8s")
    given += ("--network.options={width: 0.03125}", "--recipe.pretrain_steps=8", "--resume=true")
    log = out / "logs/pretrain.csv"
    stopped(words(root, out, *given, method="source_only"), log, 2)
    before = torch.load(out / "checkpoint.pt", weights_only=True)
    from pixda.models.fcn8s import FCN8s

    forward = FCN8s.forward
    with monkeypatch.context() as patched:
        patched.setattr(FCN8s, "forward", lambda self, images: forward(self, images) * float("nan"))
        patched.setattr("sys.argv", ["pixda"])
        assert main(words(root, out, *given, method="source_only")) == 1, "the second step is one too many"
    after = torch.load(out / "checkpoint.pt", weights_only=True)
    assert (after["position"]["step"], after["left_out"]) == (before["position"]["step"] + 1, 1)
    old, new = (state["trainees"]["segmenter"] for state in (before, after))
    assert all(torch.equal(value, new["network"][name]) for name, value in old["network"].items())
    assert old["optimiser"]["state"].keys() == new["optimiser"]["state"].keys()


def pair(number):
    return StepBatch(Batch(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long), [f"image {number}"]), None)


def test_read_seldom_as_on_a_gpu_the_first_bad_step_is_still_the_one_that_is_named():
    read = Readings(Fabric(accelerator="cpu"), at_once=False)
    for step in range(1, 8):
        read.add(step, pair(step), {"a": torch.tensor(1.0), "b": torch.tensor(float("inf") if step > 3 else 1.0)})
    with pytest.raises(NotFinite) as caught:
        read.means()
    assert caught.value.step == 4
    assert caught.value.losses == {"a": 1.0, "b": float("inf")}
    assert caught.value.batch.source.names == ["image 4"]
    assert caught.value.batch.source.images.numel() == 0, "pictures would fill the memory"


def test_the_mean_of_a_loss_is_over_the_steps_in_which_it_took_part():
    read = Readings(Fabric(accelerator="cpu"), at_once=False)
    read.add(1, pair(1), {"a": torch.tensor(1.0), "b": torch.tensor(5.0)})
    read.add(2, pair(2), {"a": torch.tensor(2.0)})
    assert read.means() == {"a": 1.5, "b": 5.0}
    assert read.means() == {}
