"""`pixda suggest`: what is typical and new is labelled first, the same list every time."""

import csv
import math
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from pixda.__main__ import main
from pixda.data.shots import read_manifest
from pixda.typical import Candidate, choose, entropy
from runs import two_domains, words


def candidate(name: str, uncertainty: float, *descriptor: float) -> Candidate:
    return Candidate(name, "all", uncertainty, torch.tensor(descriptor, dtype=torch.float))


def names(chosen):
    return [one.name for one in chosen]


def test_entropy_is_one_for_a_guess_and_zero_for_certainty():
    assert torch.allclose(entropy(torch.full((5, 2, 3), 0.2)), torch.ones(2, 3))
    assert torch.equal(entropy(torch.eye(4)[:, :1, None]), torch.zeros(1, 1))


def test_typical_frames_come_first_and_what_is_covered_last():
    """Three frames near (1, 0), two near (0, 1), an odd one of which the network is most unsure."""
    frames = [
        candidate("a", 0.1, 1.0, 0.1),
        candidate("b", 0.2, 1.0, 0.0),
        candidate("c", 0.1, 1.0, -0.1),
        candidate("d", 0.3, 0.0, 1.0),
        candidate("e", 0.4, 0.1, 1.0),
        candidate("odd", 0.9, -1.0, -1.0),
    ]
    assert names(choose(frames, 3)) == ["b", "d", "odd"]
    assert choose(frames, 2)[1].distance == pytest.approx(2**0.5)
    assert choose(frames, 1)[0].distance is None
    assert names(choose(frames, 1, [torch.tensor([1.0, 0.0])])) == ["d"], "like b is labelled already"


def test_each_choice_is_the_best_by_the_written_rule():
    """Frame by frame in float64: the sum of distances to the nearest chosen one, for every possible next choice."""
    generator = torch.Generator().manual_seed(4)
    frames = [Candidate(f"{n % 2}/{n:02}", str(n % 2), 0.5, torch.rand(5, generator=generator)) for n in range(17)]
    found = choose(frames, 5)

    def cost(names):
        centres = [one.descriptor.double() for one in frames if one.name in names]
        return sum(min(math.dist(one.descriptor.double(), centre) for centre in centres) for one in frames)

    for turn, one in enumerate(found):
        before = [other.name for other in found[:turn]]
        given = {city: sum(name.startswith(city) for name in before) for city in ("0", "1")}
        free = [c for c in frames if c.name not in before and given[c.city] == min(given.values())]
        assert one.name == min(free, key=lambda c: cost([*before, c.name])).name


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    shutil.copytree(root / "target/images/train", root / "pool")
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A run that learned from the shots."""
    out = tmp_path_factory.mktemp("runs") / "joint"
    assert main(words(root, out, "--recipe.joint_steps=1", method="joint")) == 0
    return out


@pytest.fixture(scope="module")
def first(root, tmp_path_factory):
    """A run on the source alone."""
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


def test_a_run_on_the_source_alone_has_no_labelled_frames(root, first, tmp_path):
    """It draws shots as every run does, but learns nothing from them: they may be the ones to label."""
    frames = list((root / "pool").rglob("*.png"))
    assert main(typed(root, first, tmp_path / "all", len(frames))) == 0
    chosen = read_manifest(tmp_path / "all/to_label.json").names
    assert set(read_manifest(first / "shots.json").names) <= set(chosen)


def test_a_training_takes_what_its_first_stage_suggests(root, first, tmp_path):
    """`--target.shot_list suggested`: the same frames as in the list of `pixda suggest`, and after a resume, too."""
    run = tmp_path / "run"
    pool = root / "target/images/train"
    assert main(["suggest", str(pool), f"--model={first}", "--count=2", f"--out={tmp_path / 'list'}"]) == 0
    given = [f"--start_from={first}", "--target.shot_list=suggested", "--target.shots=1", "--recipe.joint_steps=1"]
    assert main(words(root, run, *given, method="joint")) == 0
    names = read_manifest(run / "shots.json").names
    assert names == read_manifest(tmp_path / "list/to_label.json").names
    assert main([*words(root, run, *given, method="joint"), "--resume=true"]) == 0
    assert read_manifest(run / "shots.json").names == names


def test_frames_cannot_be_suggested_without_a_model(root, tmp_path, capsys):
    assert main(words(root, tmp_path / "run", "--target.shot_list=suggested", method="joint")) == 1
    assert "suggested takes --start_from" in " ".join(capsys.readouterr().err.split())


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
