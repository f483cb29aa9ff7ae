"""Running out of disk and of memory: what is saved stays whole, and the message says what to do."""

import resource
import shutil
from contextlib import suppress
from pathlib import Path

import torch

from injuries import limited, small_disk, stopped
from pixda.__main__ import main
from pixda.models.segmenter import Tiny
from runs import words

SHORT = "--recipe.more_steps=0"


def step(out):
    return torch.load(out / "checkpoint.pt", weights_only=True)["position"]["step"]


def test_a_full_disk_leaves_the_last_good_checkpoint_and_says_so(unbroken, tmp_path, capsys):
    root, whole = unbroken[0], tmp_path / "whole"
    # Room for one checkpoint and its logs, not for the next one beside it.
    large = (SHORT, "--network.architecture=fcn8s", "--network.options={width: 0.03125}")
    assert main(words(root, whole, *large, method="source_only")) == 0
    room = (whole / "checkpoint.pt").stat().st_size * 3 // 2
    with small_disk(tmp_path / "disk", room) as disk:
        out = disk / "run"
        assert main(words(root, out, *large, method="source_only")) == 1
        said, command = capsys.readouterr().err.strip().splitlines()
        assert "The checkpoint of step 8 of phase pretrain cannot be written" in said
        assert "No space left on device" in said
        assert "That of step 4 of phase pretrain is untouched" in said
        assert command.endswith("--resume true")
        assert step(out) == 4
        assert not (out / ".unfinished-checkpoint.pt").exists(), "half a checkpoint takes the room that is missing"
        shutil.move(out, tmp_path / "run")
    assert main(words(root, tmp_path / "run", *large, "--resume=true", method="source_only")) == 0
    assert (tmp_path / "run/model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_disk_without_a_single_byte_left_is_named_and_the_last_checkpoint_stays(unbroken, tmp_path, capsys):
    """The losses of a step are the first that cannot be written."""
    root, whole = unbroken
    with small_disk(tmp_path / "disk", 16 * 1024 * 1024) as disk:
        out = disk / "run"
        stopped(words(root, out, SHORT, method="source_only"), out / "logs/pretrain.csv", 4)
        saved = step(out)
        capsys.readouterr()
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 1
        said, command = capsys.readouterr().err.strip().splitlines()
        assert f"The disk of {out} is full" in said
        assert command.endswith("--resume=true")
        assert step(out) == saved
        (disk / "filler").unlink()
        assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 0
        assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_quota_on_files_leaves_the_last_good_checkpoint(unbroken, tmp_path, capsys):
    """A limit on the size of a file: needs no root, and the system refuses the same write as with a quota."""
    root, whole = unbroken
    out = tmp_path / "run"
    stopped(words(root, out, SHORT, method="source_only"), out / "logs/pretrain.csv", 4)
    before = (out / "checkpoint.pt").read_bytes()
    capsys.readouterr()
    with limited(resource.RLIMIT_FSIZE, len(before) // 2):
        assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert (out / "checkpoint.pt").read_bytes() == before
    assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_out_of_memory_is_one_sentence_with_a_way_out(unbroken, tmp_path, capsys):
    """Real: logits of 19 classes for two images of 4000 x 3000 are 1.8 GB, and the process may have one more."""
    root, _ = unbroken
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    with limited(resource.RLIMIT_AS, used + 2**30):
        assert (
            main(words(root, tmp_path / "run", "--size=[4000,3000]", "--recipe.crop=null", method="source_only")) == 1
        )
    message = capsys.readouterr().err
    assert len(message.strip().splitlines()) == 1
    assert "Out of memory" in message
    assert "--recipe.batch" in message
    assert "--recipe.crop" in message


def test_out_of_gpu_memory_leaves_the_last_checkpoint_and_names_what_may_change(
    unbroken, tmp_path, capsys, monkeypatch
):
    """Without a GPU: the network raises at its tenth batch what torch raises there. The rest is real."""
    root, whole = unbroken
    out, calls, forward = tmp_path / "run", [], Tiny.forward

    def full(self, images):
        calls.append(images)
        if len(calls) == 10:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which "
                "1.12 GiB is free. Process 12 has 22.51 GiB memory in use. See documentation."
            )
        return forward(self, images)

    with monkeypatch.context() as broken:
        broken.setattr(Tiny, "forward", full)
        assert main(words(root, out, SHORT, method="source_only")) == 1
    said, command = capsys.readouterr().err.strip().splitlines()
    assert "Out of GPU memory (Tried to allocate 2.00 GiB)" in said
    assert "--machine.precision bf16-mixed" in said
    assert "A plan for this card, 23.64 GB: it fits as it is." in said, "so small a network would"
    assert command.endswith("--resume true")
    assert step(out) == 8
    assert main(words(root, out, SHORT, "--resume=true", method="source_only")) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
