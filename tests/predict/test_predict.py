"""`pixda predict` on files, through the command a user types."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from pixda.__main__ import main
from pixda.api import load
from pixda.data.classes import ClassSet

KINDS = {"colour": "png", "overlay": "jpg", "ids": "png", "confidence": "png"}


def picture(path, size=(40, 30), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def predict(run, inputs, out, *more):
    return main(["predict", f"--model={run}", "--inputs", *map(str, inputs), f"--out={out}", *more])


@pytest.fixture
def photos(tmp_path):
    picture(tmp_path / "photos/one.png")
    picture(tmp_path / "photos/deep/er/two.jpg", (93, 61), 1)
    return tmp_path / "photos"


def test_a_folder_becomes_folders_of_pictures_of_the_same_size(run, photos, tmp_path):
    assert predict(run, [photos], tmp_path / "out", "--outputs", *KINDS) == 0
    for name, size in (("one", (40, 30)), ("deep/er/two", (93, 61))):
        for kind, ending in KINDS.items():
            assert Image.open(tmp_path / f"out/{kind}/{name}.{ending}").size == size
    ids = np.array(Image.open(tmp_path / "out/ids/one.png"))
    np.testing.assert_array_equal(ids, load(run).predict(photos / "one.png"))
    palette = ClassSet.load("cityscapes-19").palette()
    colours = np.array(Image.open(tmp_path / "out/colour/one.png").convert("RGB"))
    np.testing.assert_array_equal(colours, palette[ids])
    overlay = np.array(Image.open(tmp_path / "out/overlay/one.jpg"), float)
    half = (np.array(Image.open(photos / "one.png"), float) + colours) / 2
    assert abs(overlay.mean((0, 1)) - half.mean((0, 1))).max() < 4, "JPEG, of noise"
    confidence = np.array(Image.open(tmp_path / "out/confidence/one.png"))
    assert confidence.min() >= 255 / 19 - 1


def test_classes_and_legend_lie_beside_the_pictures(run, photos, tmp_path):
    assert predict(run, [photos / "one.png"], tmp_path / "out") == 0
    classes = json.loads((tmp_path / "out/classes.json").read_text())["classes"]
    assert classes[13] == {"index": 13, "name": "car", "colour": [0, 0, 142]}
    colours = {colour for _, colour in Image.open(tmp_path / "out/legend.png").getcolors(100_000)}
    assert {tuple(one["colour"]) for one in classes} <= colours


def test_what_is_done_is_skipped_and_what_is_missing_or_changed_is_made(run, photos, tmp_path, capsys):
    assert predict(run, [photos], tmp_path / "out") == 0
    ids = tmp_path / "out/ids"
    (ids / "one.png").unlink()
    before = (ids / "deep/er/two.png").stat().st_mtime_ns
    capsys.readouterr()
    assert predict(run, [photos], tmp_path / "out") == 0
    assert "1 of 2 are in" in capsys.readouterr().out
    assert (ids / "one.png").exists()
    assert (ids / "deep/er/two.png").stat().st_mtime_ns == before
    later = (ids / "one.png").stat().st_mtime + 5
    os.utime(photos / "one.png", (later, later))
    assert predict(run, [photos], tmp_path / "out") == 0
    assert "1 of 2 are in" in capsys.readouterr().out


def test_a_bad_file_is_named_and_loses_nothing_else(run, photos, tmp_path, capsys):
    whole = picture(photos / "cut.png", (64, 48)).read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert predict(run, [photos], tmp_path / "out", "--batch=2") == 1
    said = capsys.readouterr()
    assert str(photos / "cut.png") in said.out
    assert "2 of 4 inputs" in said.err
    assert sorted(one.name for one in (tmp_path / "out/ids").rglob("*.png")) == ["one.png", "two.png"]
    assert not list((tmp_path / "out").rglob(".*")), "no half files"


def test_a_batch_gives_what_single_images_give(run, photos, tmp_path):
    for number in range(3):
        picture(photos / f"{number}.png", (40 + number, 30), number)
    assert predict(run, [photos], tmp_path / "single") == 0
    assert predict(run, [photos], tmp_path / "batch", "--batch=2") == 0
    for file in (tmp_path / "single/ids").rglob("*.png"):
        other = tmp_path / "batch/ids" / file.relative_to(tmp_path / "single/ids")
        assert (np.array(Image.open(file)) == np.array(Image.open(other))).mean() > 0.999


def test_windows_and_sizes_reach_the_network(run, photos, tmp_path):
    inputs = [photos / "deep/er/two.jpg"]
    for name, more in (("plain", []), ("window", ["--window=[32,32]"]), ("size", ["--size=[32,32]"])):
        assert predict(run, inputs, tmp_path / name, "--outputs", "confidence", *more) == 0
    read = {name: (tmp_path / name / "confidence/two.png").read_bytes() for name in ("plain", "window", "size")}
    assert len(set(read.values())) == 3


def test_a_temperature_changes_confidence_maps_and_is_kept_apart(run, photos, tmp_path, capsys):
    inputs = [photos / "one.png"]
    given = ("--outputs", "confidence", "--temperature")
    assert predict(run, inputs, tmp_path / "out", *given, "1.0") == 0
    assert predict(run, inputs, tmp_path / "warm", *given, "3") == 0
    plain, warm = (np.array(Image.open(tmp_path / f"{out}/confidence/one.png")) for out in ("out", "warm"))
    assert warm.mean() < plain.mean()
    assert predict(run, inputs, tmp_path / "out", *given, "3") == 1
    assert "temperature" in capsys.readouterr().err
    assert predict(run, inputs, tmp_path / "ids", "--temperature=3") == 1
    assert "add confidence to --outputs" in capsys.readouterr().err
    assert predict(run, inputs, tmp_path / "none", *given, "0") == 1


def test_a_photo_is_turned_as_its_camera_says(run, tmp_path):
    picture(tmp_path / "flat.png", (40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.open(tmp_path / "flat.png").save(tmp_path / "turned.jpg", exif=exif)
    assert predict(run, [tmp_path / "turned.jpg"], tmp_path / "out") == 0
    assert Image.open(tmp_path / "out/ids/turned.png").size == (30, 40)


def test_the_outputs_are_no_inputs_of_the_next_job(run, photos, capsys):
    assert predict(run, [photos], photos / "out") == 0
    capsys.readouterr()
    assert predict(run, [photos], photos / "out") == 0
    assert "2 of 2 are in" in capsys.readouterr().out


def test_predictions_of_two_models_or_sizes_are_not_mixed(run, photos, tmp_path, capsys):
    assert predict(run, [photos], tmp_path / "out") == 0
    assert predict(run, [photos], tmp_path / "out", "--size=[32,32]") == 1
    assert "size: [64, 48] -> [32, 32]" in capsys.readouterr().err
    (tmp_path / "out/classes.json").write_text("{")
    assert predict(run, [photos], tmp_path / "out") == 1
    assert "classes.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inputs", "more", "said"),
    [
        (["nowhere"], [], "folder nowhere"),
        (["empty"], [], "holds no image"),
        (["note.txt"], [], "neither an image nor a video"),
        (["photos", "photos/deep", "twin"], [], "would both be written as 'er/two'"),
        (["double"], [], "rename one"),
        (["photos/one.png", "clip.avi"], ["--outputs", "ids"], "add overlay"),
        (["photos"], ["--outputs", "colours"], "colours"),
        (["photos"], ["--size=[0,4]"], "size"),
        (["photos"], ["--model=nowhere"], "no model at nowhere"),
        (["photos"], ["--out=note.txt"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(run, photos, tmp_path, monkeypatch, capsys, inputs, more, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no picture")
    (tmp_path / "clip.avi").write_text("no video")
    shutil.copytree(photos / "deep", tmp_path / "twin")
    picture(tmp_path / "double/one.png")
    picture(tmp_path / "double/one.jpg")
    assert predict(run, inputs, "out", *more) == 1
    message = capsys.readouterr().err
    assert said in message
    assert len(message.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out/*/*"))


def test_a_killed_job_leaves_whole_files_and_goes_on(run, tmp_path, capsys):
    for number in range(40):
        picture(tmp_path / f"photos/{number:02d}.png", (320, 240), number)
    typed = ["predict", f"--model={run}", "--inputs", str(tmp_path / "photos"), f"--out={tmp_path / 'out'}"]
    job = subprocess.Popen([sys.executable, "-m", "pixda", *typed], stdout=subprocess.DEVNULL)
    ids = tmp_path / "out/ids"
    while job.poll() is None and len(list(ids.glob("[!.]*.png"))) < 5:
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    # Half a file has a name of its own, with a dot before it, which a killed job may leave.
    kept = sorted(ids.glob("[!.]*.png"))
    assert 5 <= len(kept) < 40
    for file in (*kept, *(tmp_path / "out/overlay").glob("[!.]*.jpg")):
        assert np.array(Image.open(file)).shape[:2] == (240, 320)
    assert main(typed) == 0
    assert "of 40 are in" in capsys.readouterr().out
    assert len(list(ids.glob("[!.]*.png"))) == 40
    assert not list(ids.glob(".*")), "what was half written is written over"


def test_names_of_any_length_and_of_any_bytes_are_predicted(run, tmp_path, capfd):
    long = [f"{number}{'ß' * 125}" for number in range(2)]  # 251 bytes, and an ending
    for name in (*long, os.fsdecode(b"stra\xdfe")):
        picture(tmp_path / f"photos/{name}.png")
    broken = os.fsdecode(b"gr\xfcn.jpg")
    (tmp_path / "photos" / broken).write_bytes(b"no picture")
    assert predict(run, [tmp_path / "photos"], tmp_path / "out", "--outputs", "ids", "overlay") == 1
    said = capfd.readouterr()
    assert "gr\\udcfcn.jpg cannot be decoded" in said.out
    assert "1 of 4 inputs could not be predicted" in said.err
    for name in (*long, os.fsdecode(b"stra\xdfe")):
        assert (tmp_path / f"out/ids/{name}.png").exists()
    assert not list((tmp_path / "out").rglob(".*")), "no half files"


def test_one_file_named_twice_is_one_input(run, photos, tmp_path):
    assert predict(run, [photos, photos / "one.png"], tmp_path / "out") == 0
