"""K-fold validation over the shots: compare settings without the test split."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pixda.calibration import calibration_of, fit_temperature
from pixda.config import Experiment, Machine
from pixda.data.classes import ClassSet
from pixda.data.open import open_dataset, open_shots
from pixda.data.shots import rank, write_manifest
from pixda.errors import UserError
from pixda.evaluation import sample_logits
from pixda.machine import distributed
from pixda.machine.devices import make_fabric, start_processes
from pixda.machine.lock import hold
from pixda.methods.method import Method
from pixda.metrics import Scores, Spread
from pixda.models.saved import load_model
from pixda.training.experiment import run
from pixda.training.scoring import score_model

_PIXELS = 200_000
"""Held-out pixels that the temperature is fitted on, of all shots together: many for one number; 15 MB of logits."""


@dataclass(frozen=True)
class Validation:
    """Scores over all folds."""

    iou: dict[str, Spread]
    """Class to IoU, 0..1, over the folds whose held-out shots show it."""
    mean: dict[str, Spread]
    """Protocol ("19", "16", "13") to mean IoU."""
    temperature: float
    """What to divide logits by, for ``pixda predict --temperature``: fitted on pixels of the held-out shots."""
    ece_before: float
    """Expected calibration error on these pixels, 0..1, at temperature 1."""
    ece_after: float
    """The same at ``temperature``."""


def shots_of(experiment: Experiment, folds: int) -> tuple[list[str], list[str]]:
    """The shots: as they are listed, and each once in the order in which they are dealt to the folds.

    A frame that a list holds twice is dealt once, so that none is on both sides.

    Raises:
        UserError: so many folds cannot be made of the shots.
    """
    shots = open_shots(experiment.target, ClassSet.load(experiment.classes), None, experiment.seed)
    listed = [frame.name for frame in shots.frames]
    dealt = sorted(set(listed), key=lambda name: rank(experiment.seed, name))
    if not 2 <= folds <= len(dealt):
        raise UserError(
            f"{folds} folds of {len(dealt)} shots are not possible: --folds is 2 to the number of shots "
            "(more shots: --target.shots)."
        )
    return listed, dealt


def validate(
    experiment: Experiment,
    method: Method,
    method_name: str,
    preset: str,
    folds: int,
    out: Path,
    resume: bool = False,
) -> Validation:
    """Train K times, each time on all but one fold of the shots, and score on that fold.

    The score is that of the last weights; nothing is chosen between them, and the test split is not opened. A
    temperature is fitted on the held-out shots of all folds. Leaves a run folder ``fold_1``, ``fold_2``, ... for each
    fold, with ``shots.json`` of its training shots, and ``validation.json``. Where ``start_from`` replaces all that the
    method trains, its model is scored on every fold.

    ``folds`` is K, from 2 to the number of shots; ``resume`` goes on with the folds that are in ``out``. The other
    arguments are as for ``run``.

    Raises:
        UserError: K does not fit the shots, another process is at work in ``out``, or what ``run`` raises.
    """
    listed, dealt = shots_of(experiment, folds)
    fabric = start_processes(experiment.machine)
    sampled: list[tuple[Tensor, Tensor]] = []  # rank 0 only: logits and labels of each fold

    def score_fold(fold: int) -> Scores:
        held_out, folder = dealt[fold - 1 :: folds], out / f"fold_{fold}"
        if experiment.start_from is not None and len(method.phases()) == 1:
            model = experiment.start_from
            scored = distributed.on_rank_zero(fabric, lambda: score_first(model, held_out, folder))
        else:
            model = folder
            scored = train(held_out, folder, f"all shots but fold {fold} of {folds}, seed {experiment.seed}")
        distributed.on_rank_zero(fabric, lambda: sample(model, held_out))
        return scored

    def score_first(model: Path, held_out: Sequence[str], folder: Path) -> Scores:
        folder.mkdir(exist_ok=True)
        return score_model(model, experiment.target, experiment.size, folder / "scores.json", names=held_out)

    def train(held_out: Sequence[str], folder: Path, told: str) -> Scores:
        manifest = folder.with_name(f"{folder.name}_shots.json")
        training = [name for name in listed if name not in held_out]
        distributed.on_rank_zero(fabric, lambda: write_manifest(manifest, training, told))
        inside = replace(experiment, target=replace(experiment.target, shots=1, shot_list=manifest))
        scored = run(inside, method, method_name, preset, folder, resume, held_out)
        assert scored is not None  # the frames held out
        return scored

    def sample(model: Path, held_out: Sequence[str]) -> None:
        segmenter, _ = load_model(model)
        frames = open_dataset(experiment.target, segmenter.classes).subset(held_out)
        alone = make_fabric(Machine())
        each = max(_PIXELS // len(dealt), 1)
        sampled.append(sample_logits(segmenter.to(alone.device), frames, experiment.size, alone, each))

    with ExitStack() as held:
        distributed.on_rank_zero(fabric, lambda: held.enter_context(hold(out)))
        scores = [score_fold(fold) for fold in range(1, folds + 1)]
        temperature, before, after = distributed.on_rank_zero(fabric, lambda: _temperature(sampled))
        result = Validation(
            {name: Spread.of([one.iou[name] for one in scores]) for name in scores[0].iou},
            {name: Spread.of([one.mean[name] for one in scores]) for name in scores[0].mean},
            temperature,
            before,
            after,
        )
        about = {
            "method": method_name,
            "preset": preset,
            "folds": folds,
            "shots": dealt,
            "weights": "last",
            "seed": experiment.seed,
        }
        text = json.dumps({**about, **asdict(result)}, indent=2) + "\n"
        distributed.on_rank_zero(fabric, lambda: (out / "validation.json").write_text(text))
    return result


def _temperature(sampled: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, float, float]:
    """The temperature fitted on logits and labels of all folds, and the calibration error before and after it."""
    logits, labels = (torch.cat(one) for one in zip(*sampled, strict=True))
    temperature = fit_temperature(logits, labels)
    return temperature, calibration_of(logits, labels).ece, calibration_of(logits, labels, temperature).ece
