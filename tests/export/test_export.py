"""`pixda export`: the file says what the model says, at any size, or it is not given out."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.export.formats import FORMATS, Deployed
from pixda.models import build_segmenter
from pixda.models.saved import load_model, save_model
from pixda.models.views import with_views

BATCHES = [(1, 48, 64), (2, 61, 93), (3, 130, 40)]  # images, height, width


def export(run, out, *more):
    return main(["export", f"--model={run}", f"--out={out}", *map(str, more)])


def untrained(folder, run, architecture, **options):
    """A model of another network with the account of a real run. Its classes are about equally common."""
    torch.manual_seed(0)
    folder.mkdir()
    segmenter = build_segmenter(architecture, ClassSet.load("cityscapes-19"), **options).eval()
    last = [one for one in segmenter.head.modules() if isinstance(one, nn.Conv2d) and one.out_channels == 19][-1]
    with torch.no_grad():
        logits = segmenter(torch.randint(0, 256, (2, 3, 96, 128)).float())
        last.bias -= logits.mean((0, 2, 3))
    save_model(folder, segmenter, load_model(run)[1])
    return folder


def assert_equal(file, run, kind="onnx", scales=(1.0,), flips=False):
    """At every size and batch, classes and confidence."""
    reference = Deployed(with_views(load_model(run)[0], scales, flips), confidence=True)
    ask = FORMATS[kind].open(file)
    for number, height, width in BATCHES:
        images = torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8)
        classes, confidence = ask(images.numpy())
        with torch.no_grad():
            expected, sure = reference(images)
        assert classes.dtype == np.uint8
        assert classes.shape == confidence.shape == (number, height, width)
        assert (classes != expected.numpy()).mean() < 0.001
        assert len(np.unique(classes)) > 1, "one class everywhere would agree with anything"
        np.testing.assert_allclose(confidence, sure.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "torch_export"])
def test_a_file_agrees_with_the_model_on_the_runs_own_frames(run, tmp_path, capsys, kind):
    out = tmp_path / f"model{FORMATS[kind].ending}"
    assert export(run, out, f"--format={kind}", "--confidence=true") == 0
    said = capsys.readouterr().out
    assert "64 x 48, 6 frames: 0.0000 % of the pixels differ" in said
    assert "49 x 37, 6 frames" in said
    assert_equal(out, run, kind)
    assert sorted(one.name for one in tmp_path.iterdir()) == [out.name, f"{out.name}.md"]


def test_the_small_network_agrees_on_given_frames(run, photos, tmp_path):
    model = untrained(tmp_path / "mobile", run, "mobile_deeplab", frozen_blocks=0, frozen_statistics=False)
    assert export(model, tmp_path / "model.onnx", f"--frames={photos}", "--confidence=true") == 0
    assert_equal(tmp_path / "model.onnx", model)


@pytest.mark.parametrize("kind", ["onnx", "torch_export"])
def test_a_file_with_several_views_agrees_with_their_average(run, photos, tmp_path, kind):
    out = tmp_path / f"model{FORMATS[kind].ending}"
    views = ["--scales=[0.7,1,1.25]", "--flips=true"]
    assert export(run, out, f"--format={kind}", f"--frames={photos}", "--confidence=true", *views) == 0
    assert_equal(out, run, kind, scales=[0.7, 1.0, 1.25], flips=True)
    card = (tmp_path / f"{out.name}.md").read_text()
    assert "at the scales 0.7, 1, 1.25, each with its mirror image" in card
    assert "| 49 x 37 |" in card


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torch_export"])
@pytest.mark.parametrize(
    ("architecture", "options"), [("mobile_deeplab", {}), ("deeplab_resnet50", {}), ("fcn8s", {"width": 1 / 16})]
)
def test_every_network_agrees_in_every_format(run, photos, tmp_path, architecture, options, kind):
    model = untrained(tmp_path / "model", run, architecture, **options)
    out = tmp_path / f"model{FORMATS[kind].ending}"
    assert export(model, out, f"--frames={photos}", f"--format={kind}", "--confidence=true") == 0
    assert_equal(out, model, kind)


def test_the_file_tells_its_classes_and_sizes(run, photos, tmp_path):
    assert export(run, tmp_path / "model.onnx", "--frames", photos / "0.png", photos / "1.png") == 0
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(one.name, one.type, one.shape) for one in session.get_inputs()] == [
        ("image", "tensor(uint8)", ["batch", 3, "height", "width"])
    ]
    assert [one.name for one in session.get_outputs()] == ["classes"]
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["size"]) == [64, 48]
    assert json.loads(about["classes"])[13] == "car"
    assert json.loads(about["colours"])[13] == [0, 0, 142]
    assert "scales" not in about


def test_the_card_says_how_the_model_was_made_and_scored(run, photos, tmp_path):
    assert export(run, tmp_path / "model.onnx", f"--frames={photos}") == 0
    text = (tmp_path / "model.onnx.md").read_text()
    for said in (
        r"| method | source\_only, preset small |",
        r"pretrain\_steps = 20",
        "2 frames, list ",
        "| 13 | car | 0, 0, 142 |",
        "Split val, 3 frames; network at 64 x 48",
        "mean of 19",
        "| 49 x 37 | 0.0000 % of 4 frames |",
    ):
        assert said in text
    assert "confidence" not in text, "it was not asked for"
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("model.safetensors", "model.json"):
        shutil.copy(run / name, alone)
    assert export(alone / "model.safetensors", tmp_path / "alone.onnx", f"--frames={photos}") == 0
    assert "has not been scored" in (tmp_path / "alone.onnx.md").read_text()


def test_a_file_that_differs_is_not_given_out(run, photos, tmp_path, monkeypatch, capsys):
    """Here the file is that of another network, as a broken exporter's might be."""
    other = load_model(untrained(tmp_path / "other", run, "tiny"))[0]
    true = FORMATS["onnx"]
    wrong = true._replace(write=lambda network, path, about: true.write(Deployed(other, False), path, about))
    monkeypatch.setitem(FORMATS, "onnx", wrong)
    assert export(run, tmp_path / "out/model.onnx", f"--frames={photos}") == 1
    said = capsys.readouterr()
    assert "differs from the model on more than 0.1 %" in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert "of the pixels differ" in said.out
    assert not list((tmp_path / "out").iterdir())


def test_without_the_packages_the_way_to_them_is_named(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert export(run, tmp_path / "model.onnx") == 1
    assert "pip install 'pixda[onnx]'" in capsys.readouterr().err


def test_without_frames_it_asks_for_them(run, tmp_path, capsys):
    gone = tmp_path / "gone"
    shutil.copytree(run, gone)
    about = json.loads((gone / "model.json").read_text())
    about["made"]["config"]["target"]["root"] = str(tmp_path / "nowhere")
    (gone / "model.json").write_text(json.dumps(about))
    assert export(gone, tmp_path / "model.onnx") == 1
    message = capsys.readouterr().err
    assert "nowhere" in message
    assert "--frames" in message


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out=model.pt"], "ends in .onnx"),
        (["--out=model.onnx", "--format=torch_export"], "ends in .pt2"),
        (["--format=torchscript"], "torchscript"),
        (["--frames=nowhere"], "nowhere"),
        (["--frames=text.png"], "text.png cannot be decoded"),
        (["--frames=clip.avi"], "only videos"),
        (["--model=nowhere"], "no model at nowhere"),
        (["--scales=[9]"], "--scales is [9.0]"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(run, tmp_path, monkeypatch, capsys, more, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "clip.avi").write_text("no video")
    assert export(run, "model.onnx", *more) == 1
    message = capsys.readouterr().err
    assert said in message
    assert len(message.strip().splitlines()) == 1
    assert not list(tmp_path.glob("model*"))


def test_a_program_of_torch_runs_without_pixda_and_tells_its_classes(run, photos, tmp_path):
    assert export(run, tmp_path / "model.pt2", "--format=torch_export", f"--frames={photos}") == 0
    code = f"""
import json, sys, torch
extra = {{"pixda.json": ""}}
program = torch.export.load({str(tmp_path / "model.pt2")!r}, extra_files=extra).module()
(classes,) = program(torch.zeros(3, 3, 50, 70, dtype=torch.uint8))
assert classes.shape == (3, 50, 70)
assert json.loads(extra["pixda.json"])["classes"][13] == "car"
assert "pixda" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
