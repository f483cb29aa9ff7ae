"""`pixda train` with two sources: end to end, killed and resumed, and thinned out each by itself."""

import csv
import json
import re
import shutil

import pytest
import yaml

from injuries import killed_at_step
from pixda.__main__ import main
from pixda.methods import build
from pixda.report.curves import panels
from runs import junk, refused, second_source, two_domains, words


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    junk(root)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "two"
    assert main(words(root, out, *second_source(root))) == 0
    return out


def judged(run, epoch, source):
    with (run / f"logs/selection_{epoch}_{source}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_source_of_junk_is_thinned_out_more_than_the_other(finished):
    one, two = json.loads((finished / "model.json").read_text())["made"]["selections"][:2]
    assert (one["source"], one["epoch"], one["delta"], one["of"]) == ("folder-1", 1, 0.7, 10)
    assert (two["source"], two["epoch"], two["delta"], two["of"]) == ("folder-2", 1, 0.7, 10)
    assert two["kept"] <= one["kept"] - 5
    kept = {row["name"] for row in judged(finished, 1, "folder-2") if row["kept"] == "1"}
    assert kept == {"folder-2/000", "folder-2/005"}, "what is not all sky"


def test_the_run_says_what_its_sources_were(finished, root):
    config = yaml.safe_load((finished / "config.yaml").read_text())
    assert [one["root"] for one in config["more_sources"]] == [str(root / "junk")]
    rows = list(csv.DictReader((finished / "logs/adapt.csv").open()))
    assert all(
        float(row["selection_discriminator_folder-1"]) > 0 and float(row["selection_discriminator_folder-2"]) > 0
        for row in rows
    )


@pytest.fixture(scope="module")
def dropping(root, tmp_path_factory):
    """A run whose second source drops out after the first epoch of five steps, and its options."""
    options = ["--recipe.batch=4", "--recipe.selection.delta=0.62", "--checkpoint_every=1", *second_source(root)]
    out = tmp_path_factory.mktemp("runs") / "dropping"
    assert main(words(root, out, *options)) == 0
    return out, options


def test_a_source_that_drops_out_leaves_the_batches_to_the_other(dropping):
    made = json.loads((dropping[0] / "model.json").read_text())["made"]
    assert [(one["epoch"], one["source"], one["kept"]) for one in made["selections"]] == [
        (1, "folder-1", 10),
        (1, "folder-2", 0),
        (2, "folder-1", 0),
    ]
    assert made["steps"]["adapt"] == 5 + 2, "10 + 10 images in fours, two of each; then 10 in fours"
    rows = list(csv.DictReader((dropping[0] / "logs/adapt.csv").open()))
    assert [row["selection_discriminator_folder-2"] != "" for row in rows] == [True] * 5 + [False] * 2
    assert all(float(row["selection_discriminator_folder-1"]) > 0 and float(row["lr"]) > 0 for row in rows)
    phases = {phase.name: phase for phase in build("pixda", "small").phases()}
    shown = [one.curves for one in panels(dropping[0] / "logs", phases) if one.phase == "adapt"]
    (curves,) = [one for one in shown if "selection discriminator folder-2" in one]
    assert [len(curves[f"selection discriminator folder-{number}"][0]) for number in (1, 2)] == [7, 5]


# The second source drops out after the fifth step.
@pytest.mark.parametrize("step", [pytest.param(4, marks=pytest.mark.slow), 7])
def test_killed_before_or_after_that_and_resumed_the_weights_are_bit_equal(root, dropping, tmp_path, step):
    whole, options = dropping
    out = tmp_path / "broken"
    killed_at_step("Adversarial.step", step, words(root, out, "--resume=true", *options))
    assert not (out / "model.safetensors").exists()
    assert main(words(root, out, "--resume=true", *options)) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert (out / "logs/adapt.csv").read_bytes() == (whole / "logs/adapt.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recipe.batch=1"], "A batch of 1 is too small for 2 sources"),
        (["--more_sources.dataset=gta6"], "gta6"),
        (["--more_sources.split=train"], "no frames for split 'train'"),
        (["--recipe.batch=30"], "'folder-1' in .* has 10 frames, and a batch takes 15"),
    ],
)
def test_what_cannot_work_is_refused_before_training(root, tmp_path, capsys, options, said):
    message = refused(words(root, tmp_path / "run", *second_source(root), *options), capsys)
    assert re.search(said, message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["source_only", "joint"])
def test_the_baselines_take_several_sources(root, tmp_path, method):
    assert main(words(root, tmp_path / "two", "--recipe.pretrain_steps=2", *second_source(root), method=method)) == 0
    assert main(words(root, tmp_path / "one", "--recipe.pretrain_steps=2", method=method)) == 0
    models = [(tmp_path / one / "model.safetensors").read_bytes() for one in ("one", "two")]
    assert models[0] != models[1]


def test_check_looks_at_every_source(root, capsys):
    given = [word for word in words(root, root / "none", *second_source(root))[1:] if not word.startswith("--out")]
    assert main(["check", *given, f"--runs={root / 'runs'}"]) == 0
    assert "Labels in source 2" in " ".join(capsys.readouterr().out.split()), "a narrow table breaks its title"
    (root / "junk/masks/000.png").rename(root / "junk/000.png")
    try:
        assert main(["check", *given, f"--runs={root / 'runs'}"]) == 1
        assert "error: source 2: Folder in" in capsys.readouterr().out
    finally:
        (root / "junk/000.png").rename(root / "junk/masks/000.png")


def test_a_picture_of_a_second_source_is_not_scored(root, tmp_path, capsys):
    """The check of what is learned from covers all sources."""
    own = junk(two_domains(tmp_path)).parent
    for kind in ("images", "masks"):
        shutil.copy(own / f"junk/{kind}/003.png", own / f"target/{kind}/val/east/9.png")
    assert main(words(own, tmp_path / "run", *second_source(own))) == 1
    assert "'003' (as 'east/9')" in capsys.readouterr().err
