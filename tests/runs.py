"""What the tests of whole runs share: a small source and target on disk, and the words of a quick command."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixda.__main__ import main
from pixda.config import Experiment, Machine
from pixda.data.config import Data, Target

# Two halves, of which the source and the target differ in colour: there is something to learn and to align.
SKY, ROAD, CAR = 23, 7, 26


def _frame(
    folder: Path,
    name: str,
    rng: np.random.Generator,
    tint: np.ndarray,
    size: tuple[int, int],
    odd: bool = False,
    labelled: bool = True,
) -> None:
    width, height = size
    ids = np.full((height, width), SKY, np.uint8)
    ids[height if odd else height // 2 :] = ROAD
    left = int(rng.integers(0, width - 12))
    if not odd:
        ids[height // 2 : height // 2 + 8, left : left + 12] = CAR
    colours = np.zeros((256, 3))
    colours[SKY], colours[ROAD], colours[CAR] = (120, 170, 220), (90, 90, 90), (180, 20, 40)
    image = colours[ids] * tint + rng.normal(0, 8, (height, width, 3))
    for what, array in (("images", image.clip(0, 255).astype(np.uint8)), ("masks", ids)):
        if what == "masks" and not labelled:
            continue
        path = folder / what / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)


def two_domains(root: Path, source: int = 10, size: tuple[int, int] = (64, 48)) -> Path:
    """`source/`, `target/` (two train cities and a val split), `more/` (no masks); Cityscapes ids."""
    rng = np.random.default_rng(0)
    for number in range(source):
        # Every third source frame is all sky: nothing like the target, so that a selection can drop some.
        _frame(root / "source", f"{number:03d}", rng, np.array([1.1, 0.9, 0.9]), size, number % 3 == 0)
    for split, city in (("train", "north"), ("train", "south"), ("val", "east")):
        for number in range(3):
            _frame(root / "target", f"{split}/{city}/{number}", rng, np.array([0.8, 0.9, 1.1]), size)
    for number in range(7):
        _frame(root / "more", f"{number}", rng, np.array([0.8, 0.9, 1.1]), size, labelled=False)
    return root


def junk(root: Path, count: int = 10, size: tuple[int, int] = (64, 48)) -> Path:
    """`junk/` beside the others: a second source of which every fifth frame is of use and the rest is all sky."""
    rng = np.random.default_rng(5)
    for number in range(count):
        _frame(root / "junk", f"{number:03d}", rng, np.array([1.1, 0.9, 0.9]), size, odd=number % 5 > 0)
    return root / "junk"


def words(root: Path, out: Path, *more: str, method: str = "pixda") -> list[str]:
    """`pixda train` on these two domains with the smallest network, a dozen steps a phase."""
    given = {
        "method": method,
        "preset": "small",
        "out": out,
        "source.dataset": "folder",
        "source.root": root / "source",
        "source.split": "all",
        "source.scheme": "cityscapes",
        "target.dataset": "folder",
        "target.root": root / "target",
        "target.scheme": "cityscapes",
        "size": "[64,48]",
        "network.architecture": "tiny",
        "recipe.crop": "[48,32]",
        "recipe.batch": 2,
        "recipe.pretrain_steps": 20,
        "machine.accelerator": "cpu",
        "machine.threads": 1,
        "machine.workers": 0,
        "checkpoint_every": 4,
    }
    given |= {
        "pixda": {
            "recipe.adaptation_steps": 12,
            "recipe.distillation.steps": 12,
            "recipe.alignment.discriminators_at": "image",
            # With these the first selection drops just the frames that are all sky, and the second everything.
            "recipe.segmenter.lr": 3e-3,
            "recipe.discriminators.lr": 2e-3,
            "recipe.selection.delta": 0.7,
        },
        "fine_tuning": {"recipe.tuning_steps": 6},
        "joint": {"recipe.joint_steps": 6, "recipe.style_beta": 0.01},
        "self_training": {"recipe.labelled_steps": 4, "recipe.teaching_steps": 8, "recipe.teaching.hidden": 0.5},
        "fda": {"recipe.steps": 40, "recipe.rounds": 1, "recipe.bands": "[0.03,0.1]", "recipe.batch": 2},
        "source_only": {"recipe.more_steps": 6},
        "adaptsegnet": {"recipe.steps": 8, "recipe.heads.discriminators_at": "image"},
        "advent": {"recipe.steps": 8, "recipe.heads.discriminators_at": "image"},
        # A filter that lets the main head learn of some pixels and not of others, after so few steps.
        "fsda": {"recipe.steps": 8, "recipe.heads.discriminators_at": "image", "recipe.confidence": 0.3},
        "naae": {"recipe.steps": 12, "recipe.weighting.discriminators_at": "image"},
    }[method]
    return ["train", *(f"--{key}={value}" for key, value in given.items()), *more]


def experiment_on(root: Path, **changes: Any) -> Experiment:
    """The same two domains for what is trained from Python."""
    return Experiment(
        source=Data("folder", root / "source", "all", scheme="cityscapes"),
        target=Target("folder", root / "target", scheme="cityscapes"),
        size=(64, 48),
        machine=Machine("cpu", threads=1, workers=0),
        **changes,
    )


def unlabelled(root: Path) -> list[str]:
    """The words that add the folder without masks."""
    return ["--unlabelled.dataset=folder", f"--unlabelled.root={root / 'more'}", "--unlabelled.split=all"]


def second_source(root: Path) -> list[str]:
    """The words that add the folder of `junk`."""
    given = {"dataset": "folder", "root": root / "junk", "split": "all", "scheme": "cityscapes"}
    return [f"--more_sources.{key}={value}" for key, value in given.items()]


def account(**changes: object) -> dict[str, object]:
    """What `model.json` says of the making of a model."""
    data = {"dataset": "folder", "root": "x", "split": "train"}
    target = {**data, "test_split": "val", "shots": 1, "shot_list": "drawn"}
    network = {"architecture": "tiny", "options": {}}
    config = {"size": [64, 48], "seed": 0, "network": network, "source": data, "target": target}
    made = {"version": "0", "method": "pixda", "preset": "small", "first_weights": "random", "config": config}
    return made | {"departures": {}, "steps": {"pretrain": 4}, "machine": {}} | changes


def start(root: Path, out: Path, *more: str, method: str = "pixda") -> subprocess.Popen[str]:
    """`pixda train --resume true` in a process of its own, to be stopped."""
    command = [sys.executable, "-m", "pixda", *words(root, out, "--resume=true", *more, method=method)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)


def wait_for(process: subprocess.Popen[str], path: Path, step: int) -> None:
    """Until the run has logged ``step``, or has ended."""
    limit = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < limit:
        if path.exists():
            rows = list(csv.DictReader(path.open()))
            if rows and int(rows[-1]["step"] or 0) >= step:
                return
        time.sleep(0.005)


def quick_run(root: Path) -> Path:
    """A finished run of a few steps on `two_domains`, in `root/run`: for what is done with a model afterwards."""
    given = words(two_domains(root), root / "run", "--recipe.more_steps=0", method="source_only")
    assert main(given) == 0
    return root / "run"


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command refuses what it was given."""
    capsys.readouterr()
    assert main(words) == 1
    message = capsys.readouterr().err
    assert message.startswith("pixda: ")
    assert len(message.strip().splitlines()) == 1, message
    return message


def assert_same_scores(one: Path, other: Path) -> None:
    """Two files of scores say the same; sums of confidences may differ as float32 does from one order to another."""
    first, second = (json.loads(path.read_text()) for path in (one, other))
    sums = [scores["calibration"].pop("confidence") for scores in (first, second)]
    assert first == second
    assert sums[0] == pytest.approx(sums[1], rel=1e-5, abs=1e-3)
