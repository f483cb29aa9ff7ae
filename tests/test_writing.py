"""Files that are written whole, and that colleagues can read."""

import os
import stat

import pytest
import torch
from safetensors.torch import save_file

from pixda.data.classes import ClassSet
from pixda.models import build_segmenter
from pixda.models.saved import save_discriminator, save_model
from pixda.training.checkpoint import save_checkpoint
from pixda.writing import atomic_write
from runs import account


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_umask_says_who_may_read_a_run(tmp_path, umask):
    segmenter = build_segmenter("tiny", ClassSet.load("camvid-11"))
    save_model(tmp_path, segmenter, account())
    save_discriminator(tmp_path, segmenter)
    save_checkpoint(tmp_path / "checkpoint.pt", {"a": torch.zeros(1)})
    names = {"model.safetensors", "model.json", "discriminator.safetensors", "checkpoint.pt"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {permissions(tmp_path / name) for name in names} == {0o666 & ~umask}


def test_what_a_killed_process_left_does_not_decide_who_may_read(tmp_path, umask):
    left = tmp_path / ".unfinished-a.safetensors"
    save_file({"a": torch.zeros(2)}, left)
    left.chmod(0o600)
    with atomic_write(tmp_path / "a.safetensors") as file:
        save_file({"a": torch.ones(2)}, file)
    assert permissions(tmp_path / "a.safetensors") == 0o666 & ~umask


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"

    def stopped():
        with atomic_write(path) as file:
            file.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path], "half a file would take room"


def test_two_processes_do_not_write_into_one_hidden_file(tmp_path, monkeypatch):
    with atomic_write(tmp_path / "a", shared=True) as mine:
        monkeypatch.setattr(os, "getpid", lambda: 1)
        with atomic_write(tmp_path / "a", shared=True) as other:
            other.write_text("other")
            mine.write_text("mine")
        assert (tmp_path / "a").read_text() == "other"
    assert (tmp_path / "a").read_text() == "mine"
