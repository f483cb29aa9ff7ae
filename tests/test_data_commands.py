"""`pixda check` and `pixda shots`, and class sets of one's own, through the commands a user types."""

import json

import numpy as np
import pytest
from PIL import Image

from pixda.__main__ import main
from pixda.data.shots import read_manifest
from runs import CAR, ROAD, SKY, two_domains, words

# Only the real frames have cars: the source's scheme does not know them. Its masks are pictures of colours.
CLASSES = f"""
name: real-cars
classes:
  sky:  {{colour: [70, 130, 180], game: "#4682b4",         real: {SKY}}}
  road: {{colour: [128, 64, 128], game: [[128, 64, 128]],  real: {ROAD}}}
  car:  {{colour: [0, 0, 142],                             real: {CAR}}}
ignore: {{game: "#000000"}}
"""


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """The two domains, with a source whose masks are painted and whose cars are void."""
    root = two_domains(tmp_path_factory.mktemp("painted"), source=12)
    (root / "classes.yaml").write_text(CLASSES)
    colours = np.zeros((256, 3), np.uint8)
    colours[SKY], colours[ROAD] = (70, 130, 180), (128, 64, 128)
    for path in (root / "source/masks").iterdir():
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    return root


def own_classes(root, out, *more):
    given = ["--source.scheme=game", "--target.scheme=real", f"--classes={root / 'classes.yaml'}", "--target.shots=2"]
    return words(root, out, *given, *more, method="joint")


def test_a_class_that_only_the_real_frames_have_is_learned(painted, tmp_path):
    more = ["--recipe.pretrain_steps=20", "--recipe.joint_steps=150", "--recipe.segmenter.lr=3e-3"]
    assert main(own_classes(painted, tmp_path / "run", *more)) == 0
    iou = json.loads((tmp_path / "run/scores.json").read_text())["iou"]
    assert iou["car"] > 0.2, iou


def test_an_experiment_is_checked_and_training_does_not_repeat_it(painted, tmp_path, capsys):
    typed = own_classes(painted, tmp_path / "runs/first")
    assert main(["check", *typed[1:], f"--runs={tmp_path / 'runs'}"]) == 0
    said = capsys.readouterr().out
    assert "8-bit RGB PNG" in said
    assert "car: not in the source (its label scheme has none of them)" in said
    assert "0 errors" in said
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/.checks").iterdir()}
    assert len(kept) == 3
    assert main([*typed, "--recipe.pretrain_steps=1", "--recipe.joint_steps=1"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/.checks").iterdir()} == kept


def test_errors_are_all_printed_and_end_in_one_line(root, tmp_path, capsys):
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=camvid", "--classes=camvid-11"]
    assert main(["check", *data, f"--runs={tmp_path}"]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("error: train:") == 2  # 23 and 26; 7 is a label of CamVid too
    assert "fits the label scheme" in printed.out
    assert len(printed.err.strip().splitlines()) == 1


def test_a_bare_folder_is_recognised(root, tmp_path, capsys):
    assert main(["check", f"--folder={root / 'target'}", f"--runs={tmp_path}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--data.dataset folder" in said
    assert "--data.split val --data.scheme" in said
    assert "Labels in train" in said


def test_chosen_shots_are_a_manifest_that_training_takes(root, tmp_path, capsys):
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    for way, count in (
        (["--per_city=2"], 4),
        (["--total=3"], 3),
        (["--cover=true"], 1),
        (["--cover=true", "--total=2"], 2),
    ):
        assert main(["shots", *data, *way, f"--out={tmp_path / 'shots.json'}"]) == 0
        names = read_manifest(tmp_path / "shots.json").names
        assert len(names) == count
    assert "1 " + names[0] + ": road, sky, car" in capsys.readouterr().out
    given = [f"--target.shot_list={tmp_path / 'shots.json'}", "--recipe.more_steps=0", "--recipe.pretrain_steps=1"]
    assert main(words(root, tmp_path / "run", *given, method="source_only")) == 0
    assert json.loads((tmp_path / "run/shots.json").read_text())["names"] == names


def test_published_shots_come_with_their_flaws(tmp_path, capsys):
    assert main(["shots", "--published=5", f"--out={tmp_path / 'deep/shots.json'}"]) == 0
    assert "in the list twice" in capsys.readouterr().out
    assert len(read_manifest(tmp_path / "deep/shots.json").names) == 90


@pytest.mark.parametrize("ways", [[], ["--per_city=1", "--total=2"], ["--per_city=1", "--cover=true"]])
def test_shots_are_chosen_in_one_way(root, tmp_path, capsys, ways):
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    assert main(["shots", *data, *ways, f"--out={tmp_path / 'shots.json'}"]) == 1
    assert "one of --per_city" in capsys.readouterr().err
    assert not (tmp_path / "shots.json").exists()
