"""`pixda compare` where there is no test set: six labelled real frames, which are scored by folds."""

import csv
import json
import shutil
import signal
import statistics

import pytest

from comparison.grids import models, small_grid, start, wait_until, without_joint, write_grid
from pixda.__main__ import main
from runs import two_domains


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    shutil.rmtree(root / "target/images/val")  # nobody may ask for it
    shutil.rmtree(root / "target/masks/val")
    return root


def without_test_set(root, **changes):
    grid = small_grid(root, shots=["all"], seeds=[0], folds=2)
    grid["experiment"]["target"]["test_split"] = None
    grid["rows"] = {
        "first stage": {"method": "source_only", "recipe": {"more_steps": 0}},
        "source only": {"method": "source_only", "recipe": {"more_steps": 4}},
        "joint": {"method": "joint", "recipe": {"joint_steps": 40}},
    }
    grid["recipe"]["segmenter"] = {"lr": 3e-3}  # so that the scores are no zeros
    return grid | changes


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    grid = write_grid(folder / "grid.yaml", without_test_set(root))
    assert main(["compare", str(grid), f"--out={folder / 'out'}", "--at_once=2"]) == 0
    return folder / "out"


def cell(out, row):
    (folder,) = (out / "runs").glob(f"{row}_*_all-shot_seed0")
    return folder


@pytest.mark.parametrize(("row", "label"), [("first-stage", "first stage"), ("joint", "joint")])
def test_each_number_is_the_mean_over_the_folds(finished, row, label):
    with (finished / "table.csv").open(newline="") as file:
        rows = [one for one in csv.DictReader(file) if one["method"] == label]
    told = {(one["measure"], one["name"]): one["value"] for one in rows}
    folds = [json.loads((cell(finished, row) / f"fold_{fold}/scores.json").read_text()) for fold in (1, 2)]
    assert [one["frames"] for one in folds] == [3, 3]
    assert row != "joint" or float(told["mean", "19"]) > 0
    assert float(told["mean", "19"]) == pytest.approx(statistics.mean(one["mean"]["19"] for one in folds))
    assert float(told["class", "road"]) == pytest.approx(statistics.mean(one["iou"]["road"] for one in folds))
    assert {one["folds"] for one in rows} == {"2"}


def test_every_file_says_that_there_is_no_test_set_and_the_card_which_frames(finished):
    for name in ("table.md", "table.tex", "protocol.md"):
        text = (finished / name).read_text()
        assert "There is no test set: each score is the mean over 2 folds of the shots." in text
    card = (finished / "protocol.md").read_text()
    for frame in ("north/0", "north/1", "north/2", "south/0", "south/1", "south/2"):
        assert frame in card
    assert "all shots (6 frames)" in (finished / "table.md").read_text()


def test_what_no_fold_changes_is_trained_once(finished):
    made = models(finished)
    assert len([name for name in made if name.startswith("source-only")]) == 1
    assert len([name for name in made if name.startswith("first_")]) == 1
    assert len([name for name in made if name.startswith("joint")]) == 2
    for fold in (1, 2):
        about = json.loads((cell(finished, "joint") / f"fold_{fold}/model.json").read_text())["made"]
        assert "pretrain" not in about["steps"], "it starts from the shared first stage"


def test_stopped_among_the_folds_it_goes_on_to_the_models_of_an_unbroken_one(finished, root, tmp_path):
    grid = write_grid(tmp_path / "grid.yaml", without_test_set(root))
    out = without_joint(finished, tmp_path / "out")
    process = start(grid, out)
    wait_until(lambda: list(out.glob("runs/joint_*/fold_2/checkpoint.pt")))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert "Stopped by SIGTERM" in said
    assert not (cell(out, "joint") / "validation.json").exists()
    assert main(["compare", str(grid), f"--out={out}"]) == 0
    assert models(out) == models(finished)
    assert (out / "table.csv").read_bytes() == (finished / "table.csv").read_bytes()


def test_the_report_shows_the_tables_and_says_what_the_run_in_pictures_was_scored_on(finished, tmp_path):
    assert main(["report", str(finished), "--out", str(tmp_path)]) == 0
    text = " ".join((tmp_path / "report.html").read_text().split())
    assert "each score is the mean over 2 folds of the shots" in text
    assert "3 shots that were held out of its training (one fold); there is no test set" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"folds": 7}, "7 folds of 6 shots"), ({"folds": 1}, "1 folds of 6 shots"), ({"shots": ["some"]}, "shots")],
)
def test_folds_that_the_shots_cannot_fill_are_refused_before_anything_is_trained(root, tmp_path, capsys, changes, said):
    grid = write_grid(tmp_path / "grid.yaml", without_test_set(root, **changes))
    assert main(["compare", str(grid), f"--out={tmp_path / 'out'}"]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("out/runs/*/checkpoint.pt"))


def test_another_number_of_folds_is_another_grid(finished, root, tmp_path, capsys):
    grid = write_grid(tmp_path / "grid.yaml", without_test_set(root, folds=3))
    assert main(["compare", str(grid), f"--out={finished}"]) == 1
    assert "folds: 2 -> 3" in capsys.readouterr().err
