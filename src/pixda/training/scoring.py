"""Scores of a model on labelled frames: of a run that is at hand, or of one that was finished before."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from pixda.config import Machine
from pixda.data.config import Data
from pixda.data.dataset import SegmentationDataset
from pixda.data.open import open_dataset
from pixda.data.shots import read_manifest
from pixda.evaluation import evaluate
from pixda.machine.devices import make_fabric
from pixda.methods import METHODS
from pixda.metrics import Scores
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.models.views import with_views
from pixda.watch.progress import Display


def score_model(
    path: Path,
    data: Data,
    size: tuple[int, int] | None,
    out: Path | None,
    scales: Sequence[float] = (1.0,),
    flips: bool = False,
    names: Sequence[str] | None = None,
) -> Scores:
    """Score a finished run on labelled frames.

    Args:
        path: the run's folder, or its ``model.safetensors``.
        data: the frames.
        size: (width, height) for the network; None is the size it was trained at.
        out: JSON file for the scores, or None.
        scales: every frame is shown at each of these, and the answers averaged.
        flips: the mirror image is shown, too.
        names: the frames to score on; None is all.
    """
    plain_segmenter, made = load_model(path)
    segmenter = with_views(plain_segmenter, scales, flips)
    dataset = open_dataset(data, segmenter.classes)
    dataset = dataset if names is None else dataset.subset(names)
    width, height = size or made["config"]["size"]
    fabric = make_fabric(Machine())
    method = METHODS.get(made["method"])
    from_source_alone = method is not None and not method.learns_from_shots
    learned = 0 if from_source_alone else _shots_among(path, made["config"]["target"], dataset)
    with Display([], path.name) as display:
        told = f"the model learned from {learned} of them" if learned else "none of them among the shots of the model"
        display.say(f"scored: split '{dataset.split}', {len(dataset)} frames{';' if learned else ','} {told}")
        return score(segmenter.to(fabric.device), dataset, (width, height), fabric, display, out)


def score(
    segmenter: Segmenter,
    dataset: SegmentationDataset,
    size: tuple[int, int],
    fabric: Fabric,
    display: Display,
    out: Path | None,
) -> Scores:
    """Evaluate under a progress bar, and keep the scores with what they belong to in ``out``, if that is given."""
    matrix = evaluate(segmenter, dataset, size, fabric, lambda done, total: display.count("scoring", done, total))
    scores = matrix.scores()
    if out is not None and fabric.is_global_zero:
        scores.save(out, split=dataset.split, frames=len(dataset), network_size=size)
    return scores


def _shots_among(model: Path, target: Mapping[str, Any], dataset: SegmentationDataset) -> int:
    """How many of these frames were training shots of the model; 0 if there is no shots.json beside it."""
    manifest = (model if model.is_dir() else model.parent) / "shots.json"
    if not manifest.is_file() or target["split"] != dataset.split:
        return 0
    shots = set(read_manifest(manifest).names)
    return sum(frame.name in shots for frame in dataset.frames)
