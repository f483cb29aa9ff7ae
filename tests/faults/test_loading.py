"""Files that turn unreadable while a run is on, and loader processes that die."""

import csv
import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from injuries import stopped, when_logged
from pixda.__main__ import main
from pixda.data.classes import ClassSet
from pixda.data.domains import Domains
from pixda.data.files import packed_mask
from pixda.data.folder import Folder
from pixda.data.loading import Unreadable
from pixda.errors import UserError
from runs import two_domains, words

SHORT = ("--recipe.pretrain_steps=40", "--recipe.more_steps=0")


def cut(path):
    """Half of a file, as a broken copy leaves it."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out, *SHORT, method="source_only")) == 0
    return root, out


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_turns_unreadable_stops_the_run_with_its_name_and_nothing_is_lost(
    unbroken, tmp_path, capsys, workers
):
    _, whole = unbroken
    root, out = two_domains(tmp_path), tmp_path / "run"
    bad = root / "source/images/004.png"
    good = bad.read_bytes()
    more = (*SHORT, "--checkpoint_every=1000", f"--machine.workers={workers}")
    with when_logged(out / "logs/pretrain.csv", 10, lambda: cut(bad)):
        assert main(words(root, out, *more, method="source_only")) == 1
    said, command = capsys.readouterr().err.strip().splitlines()
    assert str(bad) in said
    assert "The run is saved at step" in said
    assert command.endswith("--resume true")
    saved = torch.load(out / "checkpoint.pt", weights_only=True)["position"]["step"]
    assert saved >= 10, "a checkpoint is due only every 1000 steps"
    assert main(words(root, out, *more, "--resume=true", method="source_only")) == 1
    assert str(bad) in capsys.readouterr().err, "it is still unreadable"
    bad.write_bytes(good)
    assert main(words(root, out, *more, "--resume=true", method="source_only")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_run_that_skips_unreadable_files_says_so_and_is_resumed_bit_for_bit(tmp_path, capsys):
    root, first = two_domains(tmp_path), tmp_path / "first"
    given = (*SHORT, "--skip_unreadable=2", "--resume=true")
    log = "logs/pretrain.csv"
    stopped(words(root, first, *given, method="source_only"), first / log, 8)
    cut(root / "source/images/004.png")
    cut(root / "source/masks/007.png")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    shutil.copytree(first, whole)
    shutil.copytree(first, broken)
    capsys.readouterr()
    assert main(words(root, whole, *given, method="source_only")) == 0
    out = capsys.readouterr().out
    assert "skipped, 1 of at most 2: The " in out
    assert "skipped, 2 of at most 2: The " in out
    skipped = json.loads((whole / "model.json").read_text())["made"]["skipped"]["files"]
    assert sorted(name for text in skipped for name in ("004.png", "007.png") if name in text) == ["004.png", "007.png"]
    stopped(words(root, broken, *given, method="source_only"), broken / log, 20)
    assert main(words(root, broken, *given, "--machine.workers=2", method="source_only")) == 0
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_the_limit_may_be_raised_by_a_run_that_goes_on_and_not_lowered(tmp_path, capsys):
    root, out = two_domains(tmp_path), tmp_path / "run"
    stopped(words(root, out, *SHORT, method="source_only"), out / "logs/pretrain.csv", 4)
    cut(root / "source/images/004.png")
    again = (*SHORT, "--resume=true")
    assert main(words(root, out, *again, method="source_only")) == 1
    stopped(words(root, out, *again, "--skip_unreadable=1", method="source_only"), out / "logs/pretrain.csv", 20)
    capsys.readouterr()
    assert main(words(root, out, *again, method="source_only")) == 1
    assert "004.png" in capsys.readouterr().err
    assert main(words(root, out, *again, "--skip_unreadable=1", method="source_only")) == 0


@pytest.fixture
def streams(tmp_path):
    root, classes = two_domains(tmp_path), ClassSet.load("cityscapes-19")
    source = Folder(root / "source", "all", classes, scheme="cityscapes")
    target = Folder(root / "target", "train", classes, scheme="cityscapes")

    def make(limit, **changes):
        return Domains(source, target, 0, torch.device("cpu"), crop=(48, 32), unreadable=Unreadable(limit), **changes)

    return root, make


def drawn(domains, skip=0):
    kept = [name for name in domains.source_names if name != "009"]  # as after a selection
    return [pair.source.names for pair in domains.source_and_target(kept, 2, "p", 0, skip)]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_stands_in_is_the_one_at_the_same_place_of_the_next_batch_wherever_the_run_begins(streams, workers):
    root, make = streams
    whole = drawn(make(0))
    batch, place = 2, 1
    (root / f"source/images/{whole[batch][place]}.png").write_bytes(b"")
    wanted = [list(names) for names in whole]
    wanted[batch][place] = whole[batch + 1][place]
    for skip in (0, 1, batch):
        assert drawn(make(1, workers=workers), skip) == wanted[skip:], f"begun at batch {skip}"
    assert not any("009" in names for names in wanted), "one that selection has dropped came back"


def test_one_file_too_many_and_no_file_left_are_said(streams):
    root, make = streams
    for number in range(10):
        (root / f"source/images/{number:03d}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"one more than the 3 that may be skipped"):
        drawn(make(3))
    with pytest.raises(UserError, match="No other image is left"):
        drawn(make(100))


def test_what_several_processes_cannot_read_counts_together_and_once():
    told = []
    unreadable = Unreadable(limit=3)
    unreadable.tell = told.append
    unreadable.add(UserError("a."))
    unreadable.join([["a.", "b."], ["b.", "c."], []])
    unreadable.join([["a.", "b.", "c."], ["b."]])
    assert unreadable.files == ["a.", "b.", "c."]
    assert told == [f"skipped, {count} of at most 3: {name}." for count, name in ((1, "a"), (2, "b"), (3, "c"))]
    with pytest.raises(UserError, match=r"d\. It is one more than the 3 that may be skipped"):
        unreadable.join([["a."], ["d."]])


def test_an_unreadable_image_does_not_stay_in_a_selection(tmp_path):
    """Nobody can say what its score is."""
    root, out = two_domains(tmp_path), tmp_path / "run"
    given = ("--recipe.selection.rule=top", "--recipe.selection.top=10", "--skip_unreadable=1", "--resume=true")
    given += ("--recipe.pretrain_steps=4", "--recipe.adaptation_steps=8", "--recipe.distillation.steps=2")
    stopped(words(root, out, *given), out / "logs/pretrain.csv", 4)
    cut(root / "source/images/004.png")
    assert main(words(root, out, *given)) == 0
    with (out / "logs/selection_1.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert sorted(names) == [f"{number:03d}" for number in range(10) if number != 4]


def test_an_image_that_could_not_be_read_when_pseudo_labels_were_made_counts_as_unreadable(streams):
    _, make = streams
    target = make(0).target
    masks = {frame.name: packed_mask(np.zeros((48, 64), np.uint8)) for frame in list(target.frames)[1:]}
    domains = replace(make(1), target=target.with_masks(masks))
    names = [name for pair in domains.target_only(5, 2, "p", 0, 0) for name in pair.target.names]
    assert set(names) == set(masks)
    (said,) = domains.unreadable.files
    assert "has no pseudo-labels" in said


def test_a_loader_process_that_is_killed_is_named_and_nothing_is_lost(tmp_path, capsys):
    # One pass over many images: the loader has most of its work before it when it is killed.
    root, whole, out = two_domains(tmp_path, source=80), tmp_path / "whole", tmp_path / "run"
    more = (*SHORT, "--checkpoint_every=1000")
    assert main(words(root, whole, *more, method="source_only")) == 0

    def kill_loader():
        (loader,) = multiprocessing.active_children()
        os.kill(loader.pid, signal.SIGKILL)

    with when_logged(out / "logs/pretrain.csv", 10, kill_loader):
        assert main(words(root, out, *more, "--machine.workers=1", method="source_only")) == 1
    said, command = capsys.readouterr().err.strip().splitlines()
    assert "A loader process was ended from outside" in said
    assert "The run is saved at step" in said
    assert command.endswith("--resume true")
    assert 10 <= torch.load(out / "checkpoint.pt", weights_only=True)["position"]["step"] < 40
    assert main(words(root, out, *more, "--machine.workers=1", "--resume=true", method="source_only")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
