"""A checkpoint that is not the run's own, or not what was written, is refused with the difference, and not touched."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

import pixda
from injuries import stopped
from pixda.__main__ import main
from pixda.data.classes import ClassSet
from runs import refused, two_domains, words

SHORT = "--recipe.more_steps=0"


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run that was stopped, with a class set of its own."""
    root = two_domains(tmp_path_factory.mktemp("domains"))
    classes = root / "classes.yaml"
    shutil.copy(Path(pixda.__file__).parent / "data/class_sets/cityscapes-19.yaml", classes)
    out = tmp_path_factory.mktemp("runs") / "begun"
    stopped(words(root, out, SHORT, f"--classes={classes}", method="source_only"), out / "logs/pretrain.csv", 4)
    return root, classes, out


@pytest.fixture
def copied(begun, tmp_path, capsys):
    """A copy of it, and what going on with it says."""
    root, classes, out = begun
    shutil.copytree(out, tmp_path / "run")
    checkpoint = tmp_path / "run/checkpoint.pt"

    def refusal(*more):
        before = checkpoint.read_bytes()
        given = (SHORT, f"--classes={classes}", "--resume=true", *more)
        message = refused(words(root, tmp_path / "run", *given, method="source_only"), capsys)
        assert checkpoint.read_bytes() == before
        return message

    return checkpoint, refusal


def changed(checkpoint, change):
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    torch.save(state, checkpoint)


def test_one_that_is_cut_short(copied):
    checkpoint, refusal = copied
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    assert f"The checkpoint {checkpoint} cannot be read" in refusal()


def test_one_of_which_a_single_bit_has_turned(copied):
    """torch.load itself takes such a file, and the run would go on with another weight."""
    checkpoint, refusal = copied
    data = bytearray(checkpoint.read_bytes())
    weight = torch.load(checkpoint, weights_only=True)["trainees"]["segmenter"]["network"]
    place = data.find(bytes(max(weight.values(), key=torch.Tensor.numel).untyped_storage()))
    assert place > 0, "the largest weight is in the file as it is in memory"
    data[place] ^= 1
    checkpoint.write_bytes(data)
    torch.load(checkpoint, weights_only=True)
    assert "checksum" in refusal()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("position"),
        lambda state: state["position"].update(phase=7),
        lambda state: state["trainees"].pop("segmenter"),
        lambda state: state["trainees"]["segmenter"]["network"].popitem(),
        lambda state: state.update(random=None),
    ],
    ids=["no-position", "phase-7", "no-network", "a-weight-is-missing", "no-random-state"],
)
def test_one_that_was_tampered_with(copied, change):
    checkpoint, refusal = copied
    changed(checkpoint, change)
    assert "does not hold the state of this run" in refusal()


def test_one_that_would_run_code(copied, tmp_path):
    checkpoint, refusal = copied

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"format": 2, "config": Evil()}, checkpoint)
    assert "cannot be read" in refusal()
    assert not (tmp_path / "owned").exists()


def test_one_of_another_version(copied):
    checkpoint, refusal = copied
    changed(checkpoint, lambda state: state.update(format=3, version="9.9"))
    assert f"(9.9, format 3; this is {pixda.__version__}, format 2)" in refusal()


def test_one_of_another_configuration(copied):
    _, refusal = copied
    assert "recipe.segmenter.lr: " in refusal("--recipe.segmenter.lr=0.5")


def test_one_of_another_class_set_under_the_same_name(begun, copied):
    """The path in the configuration is the same; what the file says is not."""
    _, classes, _ = begun
    _, refusal = copied
    before = classes.read_text()
    try:
        content = yaml.safe_load(before)
        assert ClassSet.load(classes).names[3] == "wall"
        classes.write_text(before.replace("wall", "rampart"))
        assert yaml.safe_load(classes.read_text()) != content
        message = refusal()
    finally:
        classes.write_text(before)
    assert "classes.names.3: wall -> rampart" in message


def test_one_of_other_frames(begun, copied):
    """A frame more, and every draw is another one."""
    root, _, _ = begun
    _, refusal = copied
    for kind in ("images", "masks"):
        shutil.copy(root / f"source/{kind}/000.png", root / f"source/{kind}/new.png")
    try:
        message = refusal()
    finally:
        for kind in ("images", "masks"):
            (root / f"source/{kind}/new.png").unlink()
    assert "frames.source: 10 frames" in message
    assert "-> 11 frames" in message


def test_one_of_a_release_before_these_were_kept_still_goes_on(begun, copied, tmp_path):
    root, classes, _ = begun
    checkpoint, _ = copied

    def older(state):
        for key in ("given", "version", "left_out", "unreadable"):
            del state[key]
        for key in ("skip_unreadable", "skip_not_finite"):
            del state["config"][key]

    changed(checkpoint, older)
    again = words(root, tmp_path / "run", SHORT, f"--classes={classes}", "--resume=true", method="source_only")
    assert main(again) == 0
