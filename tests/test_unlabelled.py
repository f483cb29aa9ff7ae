"""`pixda train` with a folder of images without masks."""

import csv
import json

import pytest

from pixda.__main__ import main
from pixda.comparison.grid import Grid, Row, plan
from runs import refused, two_domains, unlabelled, words


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "unlabelled"
    assert main(words(root, out, *unlabelled(root))) == 0
    return out


def test_the_images_take_part_and_the_run_says_so(finished):
    made = json.loads((finished / "model.json").read_text())["made"]
    assert made["config"]["unlabelled"]["root"].endswith("more")
    assert made["selections"], "the selection goes on as without them"
    rows = list(csv.DictReader((finished / "logs/adapt.csv").open()))
    assert all(float(row["unlabelled_adversarial"]) > 0 for row in rows)
    assert all(float(row["unlabelled_pixel_weight"]) > 0 for row in rows)


def test_only_adaptation_sees_them(root, finished, tmp_path):
    """With lambda = 0 and no selection they reach nothing but the discriminators: the model is the one without them."""
    still = ["--recipe.alignment.weight=0", "--recipe.selection.enabled=false"]
    assert main(words(root, tmp_path / "with", *still, *unlabelled(root))) == 0
    assert main(words(root, tmp_path / "without", *still)) == 0
    models = [(tmp_path / one / "model.safetensors").read_bytes() for one in ("with", "without")]
    assert models[0] == models[1]
    assert models[0] != (finished / "model.safetensors").read_bytes()


@pytest.mark.parametrize("method", ["adaptsegnet", "advent"])
def test_without_target_labels_the_methods_with_two_heads_are_unsupervised(root, tmp_path, method):
    """Their original form: target images alone, those of the shots and those without labels."""
    more = ["--recipe.target_labels=false", *unlabelled(root)]
    assert main(words(root, tmp_path / "run", *more, method=method)) == 0
    rows = list(csv.DictReader((tmp_path / "run/logs/align.csv").open()))
    assert rows
    assert all(float(row["auxiliary_unlabelled_adversarial"]) > 0 for row in rows)
    assert "target" not in rows[0]


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("joint", []),
        ("pixda", ["--recipe.alignment.discriminator=none"]),
    ],
)
def test_a_method_that_learns_nothing_from_them_is_refused(root, tmp_path, capsys, method, more):
    assert "pixda with a discriminator" in refused(
        words(root, tmp_path / "run", *more, *unlabelled(root), method=method), capsys
    )
    assert not (tmp_path / "run").exists()


def test_a_broken_image_is_found_before_training(tmp_path, capsys):
    root = two_domains(tmp_path / "domains")
    (root / "more/images/3.png").write_bytes(b"cut short")
    assert main(words(root, tmp_path / "run", *unlabelled(root))) == 1
    assert "more/images/3.png" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_comparison_gives_unlabelled_frames_to_the_rows_that_learn_from_them():
    data = {"dataset": "folder", "root": "there", "scheme": "cityscapes"}
    experiment = {"source": data, "target": data, "unlabelled": {"dataset": "folder", "root": "more"}}
    grid = Grid("both", experiment, {"joint": Row("joint"), "self-training": Row("self_training")}, seeds=[0])
    joint, taught = plan(grid)
    assert joint.run.training.experiment.unlabelled is None, "it would refuse them"
    assert taught.run.training.experiment.unlabelled is not None
    assert joint.first == taught.first, "both begin with one first stage"
