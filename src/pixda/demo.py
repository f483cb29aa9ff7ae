"""``pixda demo``: the whole tool on the built-in street world, on a small machine, with a report to look at."""

import time
from dataclasses import replace
from pathlib import Path

from pixda.checkpoint import load_model
from pixda.config import Experiment, Machine, Network
from pixda.data.classes import ClassSet
from pixda.data.config import Data, StreetOptions, Target
from pixda.data.open import open_dataset, open_shots, open_test
from pixda.experiment import run
from pixda.machine import make_fabric
from pixda.methods import build
from pixda.methods.method import Method
from pixda.metrics import Scores
from pixda.report import markdown_table, print_scores
from pixda.report.figures import class_bars, loss_curves, score_histogram
from pixda.report.page import write_page
from pixda.report.pictures import kept_and_dropped, qualitative_rows, style_pairs
from pixda.terminal import console

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
    page = write_report(out / "report", experiment, runs, scores)
    screen.print(f"Done in {(time.monotonic() - began) / 60:.1f} minutes. Open {page} in a browser.", soft_wrap=True)
    return page


def write_report(folder: Path, experiment: Experiment, runs: dict[str, Path], scores: dict[str, Scores]) -> Path:
    """The table and the pictures of the demo; returns the page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = ClassSet.load(experiment.classes)
    source = open_dataset(experiment.source, classes, experiment.size)
    shots = open_shots(experiment.target, classes, experiment.size, experiment.seed)
    networks = {NAMES[name]: load_model(path)[0] for name, path in runs.items()}
    table = markdown_table(scores)
    (folder / "table.md").write_text(table)
    class_bars(folder / "classes.png", scores)
    fabric = make_fabric(experiment.machine)
    qualitative_rows(folder / "frames.jpg", open_test(experiment.target, classes), networks, experiment.size, fabric)
    style_pairs(folder / "style.jpg", source, shots, 0.01)
    loss_curves(folder / "losses.png", runs["pixda"] / "logs")
    figures = {
        "frames.jpg": "Frames of cities never seen: where PixDA does best, middling, worst, and changes most",
        "classes.png": "IoU by class",
        "style.jpg": "Style transfer: the source takes the target's colours and light",
        "losses.png": "PixDA's losses",
    }
    selections = sorted((runs["pixda"] / "logs").glob("selection_*.csv"))
    if selections:
        kept_and_dropped(folder / "selection.jpg", selections[0], source)
        score_histogram(folder / "scores.png", {f"Selection {n}": file for n, file in enumerate(selections, start=1)})
        figures["selection.jpg"] = "Sample selection: rendered frames the image critic takes for real ones, and not"
        figures["scores.png"] = "Scores of the source frames in each selection"
    page = folder / "index.html"
    lead = (
        "PixDA's demo: a small network trained on rendered streets and three frames of a camera, scored on camera "
        f"frames of other cities. Preset demo, {experiment.size[0]} x {experiment.size[1]}, seed {experiment.seed}, "
        "random first weights: it shows that everything works, not how good the method is."
    )
    write_page(page, "PixDA: demo", lead, table, figures)
    return page


def _once(experiment: Experiment, method: Method, name: str, preset: str, out: Path) -> None:
    """Train, or go on where an earlier demo was stopped; a finished run stays as it is."""
    if not (out / "scores.json").exists():
        run(experiment, method, name, preset, out, resume=True)
