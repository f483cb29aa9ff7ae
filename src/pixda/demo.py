"""``pixda demo``: the ladder of methods on the built-in street world, on a small machine, with a report to look at."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pixda.config import Experiment, Machine, Network
from pixda.data.config import Data, StreetOptions, Target
from pixda.errors import UserError
from pixda.methods import build
from pixda.methods.method import Method
from pixda.metrics import Scores
from pixda.models.weights import packaged_weights
from pixda.report import print_scores
from pixda.report.page import write_report
from pixda.report.words import NOISE
from pixda.terminal import console
from pixda.training.experiment import run

SIZE = (320, 240)
NETWORK = "efficientnet_lite0"

LADDER = {
    "source_only": "source only",
    "fine_tuning": "fine-tuning",
    "joint": "joint, balanced",
    "pixda": "PixDA",
}
"""Method, which names its folder, too -> title; all take as many steps after the shared first stage. On another world
(seed 1) nothing tried beat balanced joint training by more than noise: neither augmentation, nor self-training, nor
several views at test time (docs/results/recommended.md)."""


def demo_experiment(root: Path, seed: int = 0) -> Experiment:
    """Rendered streets as the source, a camera frame of each of 18 cities as the target, other cities to score on."""
    world = StreetOptions(count=400, seed=seed, gap=0.3, size=SIZE)
    try:
        packaged_weights(NETWORK)
        network = Network(NETWORK, weights="auto")
    except UserError as missing:
        console().print(f"{missing} The demo goes on from random weights, and all its networks are worse.")
        network = Network(NETWORK, {"frozen_statistics": False})
    return Experiment(
        source=Data("streets", root, "rendered", streets=world),
        target=Target("streets", root, "camera-18", streets=replace(world, count=54), test_split="camera-val"),
        size=SIZE,
        network=network,
        machine=Machine(accelerator="cpu", workers=0),
        checkpoint_every=100,
    )


def run_demo(out: Path, experiment: Experiment, preset: str = "demo") -> Path:
    """Render, train every method from one first stage, print the table and what it says, write the report.

    Args:
        out: folder for everything; what is in it already is not made again.
        experiment: what to train on and to score on.
        preset: values of the methods.

    Returns:
        The report's page.
    """
    began = time.monotonic()
    screen = console()
    screen.print(f"1 of {len(LADDER) + 1}: a first network, on rendered streets alone")
    _once(experiment, build("source_only", preset, more_steps=0), "source_only", preset, out / "first")
    experiment = replace(experiment, start_from=out / "first")
    scores: dict[str, Scores] = {}
    for number, (method, title) in enumerate(LADDER.items(), start=2):
        screen.print(f"{number} of {len(LADDER) + 1}: {title}, from there as many more steps as the others")
        _once(experiment, build(method, preset), method, preset, out / method)
        scores[title] = Scores.load(out / method / "scores.json")
    print_scores(scores)
    screen.print(verdict({title: score.miou for title, score in scores.items()}), soft_wrap=True)
    page = write_report([out / "pixda"], out / "report")
    screen.print(f"Done in {(time.monotonic() - began) / 60:.1f} minutes. Open {page} in a browser.", soft_wrap=True)
    return page


def verdict(means: Mapping[str, float]) -> str:
    """Where PixDA stands, which method won and whether that is more than noise, and what to take.

    Args:
        means: title -> mIoU, 0..1; with those of ``LADDER``.
    """
    ordered = sorted(means, key=lambda title: -means[title])
    best, second = ordered[:2]
    lead = 100 * (means[best] - means[second])
    telling = "more than the noise of one seed" if lead >= NOISE else f"within the noise of one seed ({NOISE:g} points)"
    pixda, joint = LADDER["pixda"], LADDER["joint"]
    behind = 100 * (means[pixda] - means[joint])
    against = "ahead of" if behind >= NOISE else "behind" if behind <= -NOISE else "level with"
    level = [title for title in ordered if 100 * (means[best] - means[title]) < NOISE]
    advice = (
        f"Take balanced joint training: nothing is ahead of it by {NOISE:g} points, and it is the simplest."
        if joint in level
        else f"Take {best}."
    )
    return (
        f"PixDA is {against} balanced joint training ({behind:+.1f} points). Best: {best}, {100 * means[best]:.1f} "
        f"mIoU, {lead:.1f} over {second}: {telling}. {advice} One seed, one small world: for a decision compare three "
        "(pixda compare)."
    )


def _once(experiment: Experiment, method: Method, name: str, preset: str, out: Path) -> None:
    """Train, resume a stopped run, or keep a finished one."""
    if not (out / "scores.json").exists():
        run(experiment, method, name, preset, out, resume=True)
