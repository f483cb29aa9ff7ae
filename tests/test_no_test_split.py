"""A few labelled real frames and nothing to score on: every command goes through, and says what it does not do."""

import json

import pytest

from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.data.config import Target
from pixda.data.open import open_shots
from pixda.models.saved import load_model
from runs import words

UNSCORED = ("--target.test_split=null", "--target.shots=all")


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    short = ("--recipe.pretrain_steps=2", "--recipe.joint_steps=2")
    assert main(words(root, out, *UNSCORED, *short, method="joint")) == 0
    return out


def test_training_uses_all_shots_and_leaves_a_model_without_a_score(root, tmp_path, capsys):
    assert main(words(root, tmp_path / "run", *UNSCORED, method="joint")) == 0
    assert "not scored: there are no labelled test frames" in " ".join(capsys.readouterr().out.split())
    assert len(json.loads((tmp_path / "run/shots.json").read_text())["names"]) == 6
    assert not (tmp_path / "run/scores.json").exists()
    _, made = load_model(tmp_path / "run")
    assert made["config"]["target"]["test_split"] is None


def test_the_check_looks_at_source_and_shots(root, tmp_path, capsys):
    given = [word for word in words(root, tmp_path, *UNSCORED) if not word.startswith("--out=")]
    assert main(["check", *given[1:], f"--runs={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "shots" in shown
    assert "test" not in shown.lower().split()


def test_the_report_of_such_a_run_is_made(finished, tmp_path):
    assert main(["report", str(finished), "--out", str(tmp_path / "report")]) == 0


def test_all_shots_are_every_labelled_frame(root):
    target = Target("folder", root / "target", "train", scheme="cityscapes", shots="all", test_split=None)
    assert len(open_shots(target, ClassSet.load("cityscapes-19"), None, seed=0)) == 6


def test_shots_can_be_counted_in_total(root):
    target = Target("folder", root / "target", "train", scheme="cityscapes", shots=3, shots_in_total=True)
    frames = open_shots(target, ClassSet.load("cityscapes-19"), None, seed=0).frames
    assert len(frames) == 3
    assert {frame.city for frame in frames} == {"north", "south"}


def test_folds_over_the_shots_still_score(root, tmp_path):
    given = words(root, tmp_path / "folds", *UNSCORED, method="joint")
    assert main(["validate", *given[1:], "--folds=2"]) == 0
    assert json.loads((tmp_path / "folds/validation.json").read_text())["folds"] == 2


def test_evaluation_scores_the_test_split_by_itself_and_says_so(root, tmp_path, capsys):
    assert main(words(root, tmp_path / "run", method="joint")) == 0
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    capsys.readouterr()
    assert main(["evaluate", "--model", str(tmp_path / "run"), *data]) == 0
    assert "split 'val', 3 frames, none of them among the shots" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "--model", str(tmp_path / "run"), *data, "--data.split=train"]) == 0
    assert "split 'train', 6 frames; the model learned from 2 of them" in " ".join(capsys.readouterr().out.split())


def test_evaluation_asks_for_a_split_where_the_run_has_none(root, finished, capsys):
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    assert main(["evaluate", "--model", str(finished), *data]) == 1
    assert "--data.split" in capsys.readouterr().err
