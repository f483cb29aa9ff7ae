"""`pixda suggest`: what is uncertain and new is labelled first, the same list every time."""

import csv
import os
import random
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from pixda.__main__ import main
from pixda.data.shots import read_manifest
from pixda.suggestion import Candidate, choose, entropy
from runs import two_domains, words


def candidate(name: str, uncertainty: float, *descriptor: float) -> Candidate:
    return Candidate(name, Path(name), uncertainty, torch.tensor(descriptor, dtype=torch.float))


def names(chosen):
    return [one.name for one in chosen]


def test_entropy_is_one_for_a_guess_and_zero_for_certainty():
    assert torch.allclose(entropy(torch.full((5, 2, 3), 0.2)), torch.ones(2, 3))
    assert torch.equal(entropy(torch.eye(4)[:, :1, None]), torch.zeros(1, 1))


def test_the_most_uncertain_comes_first_and_its_copy_last():
    frames = [
        candidate("a", 0.9, 1, 0),
        candidate("b", 0.8, 1, 0),
        candidate("c", 0.3, 0, 1),
        candidate("d", 0.2, 0, 1),
    ]
    assert names(choose(frames, 4)) == ["a", "c", "b", "d"]
    assert choose(frames, 2)[1].distance == pytest.approx(2**0.5)
    assert names(choose(frames, 2, [torch.tensor([1.0, 0.0])])) == ["c", "a"], "like one that is labelled already"


def test_cities_take_turns_and_the_order_of_the_frames_does_not_matter():
    frames = [
        candidate(f"{city}/{n}", 0.1 * n + bonus, n, bonus) for city, bonus in (("x", 5), ("y", 0)) for n in range(3)
    ]
    chosen = choose(frames, 4)
    assert [one.city for one in chosen] == ["x", "y", "x", "y"] or [one.city for one in chosen] == ["x", "y", "y", "x"]
    shuffled = random.Random(0).sample(frames, len(frames))
    assert names(choose(shuffled, 6)) == names(choose(frames, 6))
    assert names(choose(frames, 6))[:4] == names(chosen)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    shutil.copytree(root / "target/images/train", root / "pool")
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "first"
    assert main(words(root, out, "--recipe.more_steps=0", method="source_only")) == 0
    return out


def typed(root, finished, out, count=3):
    return ["suggest", f"--model={finished}", f"--images={root / 'pool'}", f"--count={count}", f"--out={out}"]


def test_the_list_leaves_out_what_is_labelled_and_can_be_looked_at(root, finished, tmp_path, capsys):
    assert main(typed(root, finished, tmp_path / "a")) == 0
    assert "uncertainty 0." in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "a/to_label.csv").open()))
    chosen = [row["name"] for row in rows]
    assert len(set(chosen)) == 3
    assert not set(chosen) & set(read_manifest(finished / "shots.json").names)
    assert read_manifest(tmp_path / "a/to_label.json").names == chosen
    assert all(Path(row["file"]).is_file() and 0 < float(row["uncertainty"]) < 1 for row in rows)
    assert len(list((tmp_path / "a/thumbnails").iterdir())) == 3
    assert Image.open(tmp_path / "a/sheet.jpg").height > 3 * 240
    assert main(typed(root, finished, tmp_path / "b")) == 0
    assert (tmp_path / "b/to_label.csv").read_bytes() == (tmp_path / "a/to_label.csv").read_bytes()


def test_what_is_passed_over_and_cannot_be_named_is_told(root, finished, tmp_path, capsys):
    shutil.copytree(root / "pool", tmp_path / "pool")
    first = next(path for path in (tmp_path / "pool").rglob("*.png"))
    (first.parent / "IMG_1.CR2").write_bytes(b"raw")
    shutil.copy(first, os.fsdecode(os.fsencode(first.parent) + b"/stra\xdfe.png"))
    shutil.copy(first, first.parent / f"{'x' * 250}.png")
    assert main(["suggest", str(tmp_path / "pool"), f"--model={finished}", "--count=5", f"--out={tmp_path / 'a'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "kinds that are not read here: 1 .cr2" in said
    assert "stra\\xdfe.png has a name that is no UTF-8" in said


@pytest.mark.parametrize(("count", "said"), [(5, "5 frames were asked for; .* has 4"), (0, "0 frames")])
def test_more_than_there_are(root, finished, tmp_path, capsys, count, said):
    assert main(typed(root, finished, tmp_path / "a", count)) == 1
    assert re.search(said, capsys.readouterr().err)


def test_a_list_is_not_written_over_another(root, finished, tmp_path, capsys):
    (tmp_path / "to_label.csv").write_text("mine")
    assert main(typed(root, finished, tmp_path)) == 1
    assert "not empty" in capsys.readouterr().err
