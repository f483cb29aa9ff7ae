"""K-fold validation over the shots: what a choice is worth, told without the test split."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pixda.config import Experiment
from pixda.data.classes import ClassSet
from pixda.data.open import open_shots
from pixda.data.shots import rank, write_manifest
from pixda.errors import UserError
from pixda.machine import distributed
from pixda.machine.devices import begin_processes
from pixda.methods.method import Method
from pixda.metrics import Scores, Spread
from pixda.training.experiment import run


@dataclass(frozen=True)
class Validation:
    """What the folds say together."""

    iou: dict[str, Spread]
    """Class to IoU, 0..1, over the folds whose held-out shots show it."""
    mean: dict[str, Spread]
    """Protocol ("19", "16", "13") to mean IoU."""


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
    frame that a list holds twice is one frame here, so that none is on both sides. Leaves a run folder
    ``fold_1``, ``fold_2``, ... for each fold, with ``shots.json`` of its training shots, and ``validation.json``.

    Args:
        experiment: as for ``run``; ``start_from`` spares the folds a pretraining each.
        method: the hyper-parameters.
        method_name: its name in ``METHODS``.
        preset: name of the preset that the hyper-parameters began from.
        folds: K, from 2 to the number of shots.
        out: folder for the folds.
        resume: go on with the folds that are in ``out``.

    Raises:
        UserError: K does not fit the shots, or what ``run`` raises.
    """
    shots = open_shots(experiment.target, ClassSet.load(experiment.classes), None, experiment.seed)
    names = sorted({frame.name for frame in shots.frames}, key=lambda name: rank(experiment.seed, name))
    if not 2 <= folds <= len(names):
        raise UserError(
            f"{folds} folds of {len(names)} shots are not possible: --folds is 2 to the number of shots "
            "(more shots: --target.shots)."
        )
    fabric = begin_processes(experiment.machine)
    distributed.on_rank_zero(fabric, lambda: out.mkdir(parents=True, exist_ok=True))
    scores: list[Scores] = []
    for fold in range(folds):
        held_out = names[fold::folds]
        training = [frame.name for frame in shots.frames if frame.name not in held_out]
        manifest = out / f"fold_{fold + 1}_shots.json"
        told = f"all shots but fold {fold + 1} of {folds}, seed {experiment.seed}"
        distributed.on_rank_zero(fabric, lambda: write_manifest(manifest, training, told))  # noqa: B023 (called at once)
        inside = replace(experiment, target=replace(experiment.target, shots=1, shot_list=manifest))
        scored = run(inside, method, method_name, preset, out / f"fold_{fold + 1}", resume, held_out)
        assert scored is not None  # the frames held out
        scores.append(scored)
    result = Validation(
        {name: Spread.of([one.iou[name] for one in scores]) for name in scores[0].iou},
        {name: Spread.of([one.mean[name] for one in scores]) for name in scores[0].mean},
    )
    about = {
        "method": method_name,
        "preset": preset,
        "folds": folds,
        "shots": names,
        "weights": "last",
        "seed": experiment.seed,
    }
    text = json.dumps({**about, **asdict(result)}, indent=2) + "\n"
    distributed.on_rank_zero(fabric, lambda: (out / "validation.json").write_text(text))
    return result
