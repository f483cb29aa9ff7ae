"""A model that travels: to a folder, to a hub and back, by Hugging Face's real client."""

import json
import os
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from hub import in_python, serving
from pixda import api
from pixda.errors import UserError

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
FILES = {"README.md", "model.safetensors", "model.json", "scores.json", "shots.json"}


def test_a_saved_model_is_the_same_one_and_says_where_it_is_from(run, tmp_path):
    umask = os.umask(0o022)
    try:
        folder = api.load(run).save(tmp_path / "given")
    finally:
        os.umask(umask)
    assert {path.name for path in folder.iterdir()} == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert (folder / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert np.array_equal(api.load(folder).predict(IMAGE), api.load(run).predict(IMAGE))
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: pixda\n")
    for said in ("source\\_only, preset small", "| traffic light |", "mean of 19", "## Limits", 'load("user/name")'):
        assert said in card
    again = api.load(folder).save(folder)
    assert {path.name for path in again.iterdir()} == FILES, "over itself, too"


def test_no_path_of_the_makers_machine_travels(run, tmp_path):
    place = str(run.parent)
    assert place in (run / "model.json").read_text()
    folder = api.load(run).save(tmp_path / "given")
    for path in folder.iterdir():
        assert place.encode() not in path.read_bytes(), path.name
    assert json.loads((folder / "model.json").read_text())["made"]["config"]["source"]["root"] == "source"


def test_a_model_goes_to_the_hub_and_comes_back(run, tmp_path):
    repositories = {}
    with serving(repositories) as address:
        code = "import sys; from pixda.api import load; print(load(sys.argv[1]).push_to_hub('someone/streets'))"
        sent = in_python(code, address, tmp_path / "home", str(run))
        assert sent.returncode == 0, sent.stderr
        assert "someone/streets" in sent.stdout
        assert repositories["someone/streets"].keys() >= FILES
        assert repositories["someone/streets"]["model.safetensors"] == (run / "model.safetensors").read_bytes()
        Image.fromarray(IMAGE).save(tmp_path / "photo.png")
        code = (
            "import sys, numpy; from pixda.api import load\n"
            "numpy.save(sys.argv[2], load('someone/streets').predict(sys.argv[1]))"
        )
        fetched = in_python(code, address, tmp_path / "other", str(tmp_path / "photo.png"), str(tmp_path / "found.npy"))
        assert fetched.returncode == 0, fetched.stderr
    assert np.array_equal(np.load(tmp_path / "found.npy"), api.load(run).predict(IMAGE))


def test_a_name_that_the_hub_does_not_know_and_a_hub_that_is_not_there(tmp_path):
    code = "from pixda.api import load, UserError\ntry: load('runs/frist')\nexcept UserError as error: print(error)"
    with serving({}) as address:
        unknown = in_python(code, address, tmp_path)
    assert "There is no folder runs/frist, and no model of that name could be had" in unknown.stdout, unknown.stderr
    gone = in_python(code, address, tmp_path)
    assert "see that the hub can be reached" in gone.stdout, gone.stderr


def test_what_cannot_be_put_on_the_hub_is_one_sentence(run, monkeypatch):
    model = api.load(run)
    with pytest.raises(UserError, match="'streets' is no name on Hugging Face's hub: write 'user/name'"):
        model.push_to_hub("streets")
    with pytest.raises(UserError, match=r"could not be put on .*hub as 'a/b' .*hf auth login") as error:
        model.push_to_hub("a/b")  # the tests are kept off the hub
    assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'pixda\[hf\]'"):
        model.push_to_hub("a/b")
    with pytest.raises(UserError, match=r"There is no folder runs/frist, and to look .*pip install 'pixda\[hf\]'"):
        api.load("runs/frist")


def test_a_revision_is_of_the_hub(run):
    with pytest.raises(UserError, match="is a path: leave it out"):
        api.load(run, revision="main")
    with pytest.raises(UserError, match="There is no model at"):
        api.load("./no/such/run")
