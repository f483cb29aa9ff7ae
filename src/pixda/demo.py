"""``pixda demo``: the whole tool on the built-in street world, on a small machine, with a report to look at."""

import time
from dataclasses import replace
from pathlib import Path

from pixda.config import Experiment, Machine, Network
from pixda.data.config import Data, StreetOptions, Target
from pixda.methods import build
from pixda.methods.method import Method
from pixda.metrics import Scores
from pixda.report import print_scores
from pixda.report.page import write_report
from pixda.terminal import console
from pixda.training.experiment import run

SIZE = (320, 240)

NAMES = {"source_only": "source only", "fine_tuning": "fine-tuning", "pixda": "PixDA"}


def demo_experiment(root: Path) -> Experiment:
    """Rendered streets as the source, three camera frames as the target, other cities' frames to score on."""
    world = StreetOptions(count=400, gap=0.3, size=SIZE)
    return Experiment(
        source=Data("streets", root, "rendered", streets=world),
        target=Target("streets", root, "camera-train", streets=replace(world, count=30), test_split="camera-val"),
        size=SIZE,
        network=Network("mobile_deeplab", {"frozen_blocks": 0, "frozen_statistics": False}),
        machine=Machine(accelerator="cpu", workers=0),
        checkpoint_every=100,
    )


def run_demo(out: Path, experiment: Experiment, preset: str = "demo") -> Path:
    """Render, train three methods from one first stage, print the table, write the report.

    Args:
        out: folder for everything; what is in it already is not made again.
        experiment: what to train on and to score on.
        preset: values of the methods.

    Returns:
        The report's page.
    """
    began = time.monotonic()
    screen = console()
    screen.print("1 of 4: a first network, on rendered streets alone")
    _once(experiment, build("source_only", preset, more_steps=0), "source_only", preset, out / "first")
    experiment = replace(experiment, start_from=out / "first")
    runs: dict[str, Path] = {}
    for number, (method, name) in enumerate(NAMES.items(), start=2):
        screen.print(f"{number} of 4: {name}, from there as many more steps as the others")
        runs[method] = out / method
        _once(experiment, build(method, preset), method, preset, runs[method])
    scores = {NAMES[name]: Scores.load(folder / "scores.json") for name, folder in runs.items()}
    print_scores(scores)
    page = write_report([runs["pixda"]], out / "report")
    screen.print(f"Done in {(time.monotonic() - began) / 60:.1f} minutes. Open {page} in a browser.", soft_wrap=True)
    return page


def _once(experiment: Experiment, method: Method, name: str, preset: str, out: Path) -> None:
    """Train, or go on where an earlier demo was stopped; a finished run stays as it is."""
    if not (out / "scores.json").exists():
        run(experiment, method, name, preset, out, resume=True)
