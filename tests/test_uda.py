"""`pixda train` without target labels: whatever the masks of the shots hold, nothing of it reaches the model."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pixda.__main__ import main
from runs import words

BLIND = "--recipe.target_labels=false"


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "blind"
    assert main(words(root, out, BLIND)) == 0
    return out


def shuffled(root):
    """Every training mask of the target with its pixels in another order."""
    rng = np.random.default_rng(0)
    for path in sorted((root / "target/masks/train").rglob("*.png")):
        ids = np.array(Image.open(path))
        Image.fromarray(rng.permutation(ids.ravel()).reshape(ids.shape)).save(path)


def gone(root):
    shutil.rmtree(root / "target/masks/train")


@pytest.mark.parametrize("spoil", [shuffled, gone])
def test_the_masks_of_the_shots_do_not_influence_the_model(finished, root, tmp_path, spoil):
    other = tmp_path / "domains"
    shutil.copytree(root, other)
    spoil(other)
    assert main(words(other, tmp_path / "run", BLIND)) == 0
    assert (tmp_path / "run/model.safetensors").read_bytes() == (finished / "model.safetensors").read_bytes()


def test_with_labels_they_do(root, tmp_path):
    """The same spoiling changes a run that reads them: the test above can fail."""
    other = tmp_path / "domains"
    shutil.copytree(root, other)
    shuffled(other)
    short = ["--recipe.pretrain_steps=2", "--recipe.adaptation_steps=2", "--recipe.distillation.steps=2"]
    for data, run in ((root, "as-they-are"), (other, "shuffled")):
        assert main(words(data, tmp_path / run, *short)) == 0
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("as-they-are", "shuffled")]
    assert models[0] != models[1]


def test_the_run_aligns_and_selects_and_leaves_the_fine_tuning_out(finished):
    made = json.loads((finished / "model.json").read_text())["made"]
    assert set(made["steps"]) == {"pretrain", "adapt"}
    assert made["departures"]["target_labels"] is False
    assert made["selections"]
    rows = list(csv.DictReader((finished / "logs/adapt.csv").open()))
    assert "target" not in rows[0]
    assert all(float(row["adversarial"]) > 0 and float(row["pixel_weight"]) > 0 for row in rows)


def test_the_check_asks_for_no_masks_either(root, tmp_path, capsys):
    other = tmp_path / "domains"
    shutil.copytree(root, other)
    gone(other)
    given = [word for word in words(other, tmp_path / "run")[1:] if not word.startswith("--out")]
    assert main(["check", *given, f"--runs={tmp_path}", BLIND]) == 0
    assert "not in the shots" not in capsys.readouterr().out
    assert main(["check", *given, f"--runs={tmp_path}"]) == 1
