"""The scripts in examples/ run as they are, on little data; the site names the version it is of."""

import runpy
import sys
from pathlib import Path

import pytest

import pixda
from runs import quick_run, two_domains

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script as `python SCRIPT words...` does; gives what it prints."""

    def of(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return of


def test_datasets(run, tmp_path):
    told = run("datasets_in_pytorch.py", two_domains(tmp_path) / "source")
    assert "images (2, 3, 128, 256), masks (2, 128, 256)" in told
    assert "sky" in told


def test_losses(run):
    assert "step 4: segmentation " in run("losses_in_your_loop.py")


def test_a_model(run, tmp_path):
    model = quick_run(tmp_path)
    picture = next((tmp_path / "target/images/val").rglob("*.png"))
    told = run("use_a_model.py", model, picture)
    assert "logits (1, 19, 12, 16) of an image (1, 3, 48, 64)" in told


@pytest.mark.slow
def test_a_method(run, tmp_path, monkeypatch):
    """One is run as it is; what the script asks for holds for all of them (tests/test_train.py trains each)."""
    monkeypatch.chdir(tmp_path)
    words = ["fine_tuning", "--out", tmp_path / "runs/one", "--frames", "18", "--network", "tiny", "--steps", "1"]
    assert "fine-tuning" in run("train_a_method.py", *words)


def test_the_site_names_the_version():
    assert f"PixDA {pixda.__version__}," in (EXAMPLES.parent / "mkdocs.yml").read_text()
