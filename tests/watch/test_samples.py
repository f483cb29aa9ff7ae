"""Pictures while it learns: what is on them, what they cost, and that they change nothing."""

import json

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.domains import Domains
from pixda.data.open import open_dataset
from pixda.methods import build
from pixda.models import build_segmenter
from pixda.watch import samples
from pixda.watch.logs import Logs
from pixda.watch.progress import Display
from pixda.watch.samples import Samples
from runs import two_domains, words


@pytest.fixture
def often(monkeypatch):
    """As many pictures as there can be: one after almost every step."""
    monkeypatch.setattr(samples, "_SHARE", 1e9)
    monkeypatch.setattr(samples, "_SPREAD", 0.0)


def bits(out):
    return (out / "model.safetensors").read_bytes()


def test_pictures_of_the_shots_appear_in_every_phase_and_change_no_bit(tmp_path, often):
    """With dropout and batch statistics in the network, both of which a careless look would move."""
    root = two_domains(tmp_path)
    fcn8s = ("--network.architecture=fcn8s", "--network.options={width: 0.03125}", "--recipe.pretrain_steps=4")
    assert main(words(root, tmp_path / "without", *fcn8s, "--watch.samples=0", method="fine_tuning")) == 0
    assert main(words(root, tmp_path / "with", *fcn8s, "--watch.samples=2", method="fine_tuning")) == 0
    assert bits(tmp_path / "with") == bits(tmp_path / "without")
    assert not (tmp_path / "without/samples").exists()
    drawn = sorted(path.name for path in (tmp_path / "with/samples").iterdir())
    assert [name for name in drawn if name.startswith("pretrain")] == [f"pretrain_{step:06d}.jpg" for step in (2, 3, 4)]
    assert any(name.startswith("fine-tune") for name in drawn)

    # The first row of the last picture: a shot, and its truth in the colours of its classes.
    with Image.open(tmp_path / "with/samples" / drawn[-1]) as file:
        board = np.asarray(file).astype(int)
    name = json.loads((tmp_path / "with/shots.json").read_text())["names"][0]
    with Image.open(root / "target/images/train" / f"{name}.png") as file:
        shot = np.asarray(file.convert("RGB").resize((320, 240))).astype(int)
    assert np.abs(board[18 : 18 + 240, 110 : 110 + 320] - shot).mean() < 6
    truth = board[18 : 18 + 240, 434 : 434 + 320]
    palette = ClassSet.load("cityscapes-19").palette().astype(int)
    assert np.abs(truth[60, 160] - palette[10]).max() < 12, "sky above"
    assert np.abs(truth[230, 160] - palette[0]).max() < 12, "road below"

    board_of = EventAccumulator(str(tmp_path / "with/logs/tensorboard"))
    board_of.Reload()
    assert [one.step for one in board_of.Images("pretrain/shots")] == [2, 3, 4]


def test_batch_statistics_that_are_learned_stay_as_they_are(tmp_path, often):
    root = two_domains(tmp_path)
    mobile = (
        "--network.architecture=mobile_deeplab",
        "--network.options={frozen_blocks: 0, frozen_statistics: false}",
        "--recipe.pretrain_steps=3",
        "--recipe.more_steps=0",
    )
    for out, count in (("without", 0), ("with", 2)):
        assert main(words(root, tmp_path / out, *mobile, f"--watch.samples={count}", method="source_only")) == 0
    assert len(list((tmp_path / "with/samples").iterdir())) == 2
    assert bits(tmp_path / "with") == bits(tmp_path / "without")


def test_without_labels_of_the_shots_there_is_no_truth_on_the_picture(tmp_path, often):
    blind = ("--recipe.target_labels=false", "--recipe.pretrain_steps=2", "--recipe.adaptation_steps=3")
    assert main(words(two_domains(tmp_path), tmp_path / "run", *blind, "--watch.samples=1")) == 0
    with Image.open(tmp_path / "run/samples/adapt_000003.jpg") as file:
        assert file.size == (110 + 2 * 324, 18 + 244)


@pytest.mark.parametrize(("step_takes", "look_takes"), [(0.5, 2.0), (0.01, 0.3), (20.0, 1.0)])
def test_pictures_take_at_most_a_hundredth_of_the_time_and_become_rarer(tmp_path, monkeypatch, step_takes, look_takes):
    root = two_domains(tmp_path)
    classes, fabric = ClassSet.load("cityscapes-19"), Fabric(accelerator="cpu")
    shots = open_dataset(Data("folder", root / "target", "train", scheme="cityscapes"), classes, (64, 48))
    domains = Domains(shots, shots, seed=0, device=torch.device("cpu"), crop=(32, 24))
    phase = build("source_only", "small", batch=1).phases()[0]
    now = 0.0
    monkeypatch.setattr(samples.time, "monotonic", lambda: now)
    network = build_segmenter("tiny", classes)

    def look(*_):
        nonlocal now
        now += look_takes

    network.register_forward_hook(look)
    steps, drawn = 20_000, []
    with (
        Display([("pretrain", steps)], "pixda") as display,
        Logs(tmp_path / "logs", [], "run", {}, lambda _: None, resume=False) as logs,
    ):
        sampling = Samples(tmp_path / "samples", domains, 2, fabric, logs, display)
        display.begin(0, 0)
        began = now
        for done in range(1, steps + 1):
            now += step_takes
            display.pace.step(0, done)
            before = now
            sampling.step(network, phase, done, done)
            if now > before:
                drawn.append(now)
                assert sampling._spent == pytest.approx(2 * look_takes * len(drawn))
                assert sampling._spent <= 0.01 * (now - began)
    assert len(list((tmp_path / "samples").iterdir())) == len(drawn) >= 1
    assert len(drawn) < 40, "a long run fills the disk"
    assert (np.diff(drawn, n=2)[1:] > -1).all()
    assert network.training
    assert all(not one.is_inference() for one in network.parameters())
    assert torch.is_grad_enabled()
