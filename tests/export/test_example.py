"""The example runs an exported file, without PixDA."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pixda.__main__ import main
from pixda.api import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "run_onnx.py"


def test_the_example_gives_what_the_model_gives(run, photos, tmp_path):
    assert main(["export", f"--model={run}", f"--out={tmp_path / 'model.onnx'}", f"--frames={photos}"]) == 0
    # In a folder of its own, and isolated (-I): no PixDA is in reach by the path of the source.
    photo = photos / "1.png"
    typed = [sys.executable, "-I", str(EXAMPLE), str(tmp_path / "model.onnx"), str(photo), str(tmp_path / "out.png")]
    done = subprocess.run(typed, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "%" in done.stdout
    mask = Image.open(tmp_path / "out.png")
    assert mask.mode == "P"
    assert (np.asarray(mask) == load(run).predict(photo)).mean() > 0.999


def test_the_example_needs_nothing_of_pixda():
    text = EXAMPLE.read_text()
    assert "import pixda" not in text
    assert "from pixda" not in text
