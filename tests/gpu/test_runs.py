"""Whole runs on a GPU, through the commands a user types."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from pixda.__main__ import main
from pixda.methods import METHODS
from runs import unlabelled, words

pytestmark = pytest.mark.gpu


def on(device, given, *more):
    given = [word for word in given if not word.startswith("--machine.accelerator")]
    return [*given, f"--machine.accelerator={device.type}", *more]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_every_method_trains_and_is_scored(device, root, tmp_path, method, precision):
    more = unlabelled(root) if method == "self_training" else []
    given = on(device, words(root, tmp_path / "run", *more, method=method), f"--machine.precision={precision}")
    assert main(given) == 0
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert 0 < scores["mean"]["19"] <= 1
    assert json.loads((tmp_path / "run/model.json").read_text())["made"]["machine"]["precision"] == precision


def test_one_step_is_that_of_a_processor(device, root, tmp_path):
    """After a few float32 steps the score is the processor's, to a hundredth."""
    means = []
    for name, accelerator in (("there", device.type), ("here", "cpu")):
        given = on(device, words(root, tmp_path / name, method="joint"))
        given = [word for word in given if not word.startswith("--machine.accelerator")]
        assert main([*given, f"--machine.accelerator={accelerator}"]) == 0
        means.append(json.loads((tmp_path / name / "scores.json").read_text())["mean"]["19"])
    assert means[0] == pytest.approx(means[1], abs=0.01)


def test_no_step_waits_for_the_device(device, root, tmp_path, monkeypatch):
    if device.type != "cuda":
        pytest.skip("only CUDA can tell")
    from pixda.phases.adversarial import Adversarial

    plain = Adversarial.step

    def watched(self, pair):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return plain(self, pair)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Adversarial, "step", watched)
    assert main(on(device, words(root, tmp_path / "run"))) == 0


def test_killed_and_resumed(device, root, tmp_path):
    out = tmp_path / "run"
    given = on(device, words(root, out, "--recipe.joint_steps=400", "--checkpoint_every=20", method="joint"))
    process = subprocess.Popen([sys.executable, "-m", "pixda", *given], env=os.environ)
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main([*given, "--resume=true"]) == 0
    assert json.loads((out / "model.json").read_text())["made"]["steps"] == {"pretrain": 20, "joint": 400}


def test_a_full_card_is_one_sentence(device, root, tmp_path, capsys):
    if device.type != "cuda":
        pytest.skip("a processor's memory is the machine's")
    torch.cuda.set_per_process_memory_fraction(1e-5)
    try:
        assert main(on(device, words(root, tmp_path / "run", method="joint"))) == 1
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    said = capsys.readouterr().err.strip()
    assert "memory" in said
    assert "Traceback" not in said


def test_predict(device, root, tmp_path):
    assert main(on(device, words(root, tmp_path / "run", method="joint"))) == 0
    images = root / "target/images/val/east"
    where = ["--model", str(tmp_path / "run"), "--inputs", str(images), "--out", str(tmp_path / "seen")]
    assert main(["predict", *where]) == 0
    assert list((tmp_path / "seen").rglob("*.png"))
