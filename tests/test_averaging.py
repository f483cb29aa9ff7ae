"""`pixda average`: the mean of several runs' weights is a model like any other."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from pixda.__main__ import main
from pixda.averaging import average
from pixda.data.shots import read_manifest
from pixda.errors import UserError
from runs import two_domains, words


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of other seeds, and so of other shots."""
    root = two_domains(tmp_path_factory.mktemp("domains"))
    for seed in (0, 1):
        out = root / f"run{seed}"
        assert main([*words(root, out, "--seed", str(seed), method="joint"), "--recipe.joint_steps", "2"]) == 0
    return root


def test_every_weight_is_the_mean_of_the_runs(runs):
    out = runs / "mean"
    assert main(["average", str(runs / "run0"), str(runs / "run1"), "--out", str(out)]) == 0
    weights = [load_file(folder / "model.safetensors") for folder in (runs / "run0", runs / "run1", out)]
    moved = 0
    for name, mean in weights[2].items():
        first, second = weights[0][name], weights[1][name]
        if mean.is_floating_point():
            assert torch.equal(mean, ((first.double() + second.double()) / 2).to(mean.dtype)), name
            moved += not torch.equal(mean, first)
    assert moved, "the two runs ended at different weights"
    told = json.loads((out / "model.json").read_text())["made"]["averaged"]
    assert [one["run"] for one in told] == [str(runs / "run0"), str(runs / "run1")]
    names = [set(read_manifest(folder / "shots.json").names) for folder in (runs / "run0", runs / "run1", out)]
    assert names[2] == names[0] | names[1], "what any of them learned from is never scored as new"


def test_a_mean_of_one_run_with_itself_is_that_run(runs):
    out = runs / "same"
    average([runs / "run0"] * 3, out)
    for name, tensor in load_file(runs / "run0/model.safetensors").items():
        assert torch.equal(load_file(out / "model.safetensors")[name], tensor), name


def test_one_that_was_killed_is_begun_anew(runs, monkeypatch):
    out = runs / "again"

    def killed(*_):
        raise SystemExit("before the weights")

    with monkeypatch.context() as patch:
        patch.setattr("pixda.averaging.save_model", killed)
        patch.setattr("pixda.averaging.shutil.rmtree", lambda *_: None)  # a killed process tidies nothing up
        with pytest.raises(SystemExit):
            average([runs / "run0", runs / "run1"], out)
    assert [path.name for path in out.iterdir()] == ["shots.json"]
    average([runs / "run0", runs / "run1"], out)
    assert {path.name for path in out.iterdir()} == {"model.safetensors", "model.json", "shots.json"}


def test_it_may_be_written_to_the_empty_folder_one_is_in(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["average", str(runs / "run0"), str(runs / "run1"), "--out=."]) == 0
    assert (tmp_path / "model.safetensors").is_file()


def test_the_new_model_is_scored_like_a_run(runs, capsys):
    average([runs / "run0", runs / "run1"], runs / "scored")
    data = ["--data.dataset=folder", f"--data.root={runs / 'target'}", "--data.scheme=cityscapes", "--data.split=val"]
    assert main(["evaluate", str(runs / "scored"), *data]) == 0
    told = capsys.readouterr().out
    assert "none of them among the shots" in told
    assert "pixel accuracy" in told


def test_what_has_no_mean_is_refused(runs, tmp_path):
    with pytest.raises(UserError, match="two runs or more"):
        average([runs / "run0"], tmp_path / "out")
    with pytest.raises(UserError, match="not empty"):
        average([runs / "run0", runs / "run1"], runs / "run1")
    other = shutil.copytree(runs / "run1", tmp_path / "other")
    card = json.loads((other / "model.json").read_text())
    card["classes"]["names"][0] = "another"
    (other / "model.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match="classes"):
        average([runs / "run0", other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
