"""Weight averaging: several runs from one first stage become one network with the mean of their weights."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from pixda.data.shots import read_manifest, write_manifest
from pixda.errors import UserError
from pixda.models.saved import load_model, model_hash, save_model


def average(runs: Sequence[Path], out: Path) -> None:
    """Write a model whose every weight is the mean of the runs' weights (a model soup).

    Wortsman et al., *Model soups*, ICML 2022, the uniform soup: ``w = 1/N sum_i w_i``. The runs must have begun from
    the same weights, as the rows of ``pixda compare`` do for one seed: networks that were pretrained apart have nothing
    in common to average. The new model costs what one network costs, and every command takes it as it takes a run.

    Leaves ``model.safetensors``, ``model.json`` (that of the first run, with ``averaged``: the runs and hashes of their
    weights) and, where runs have ``shots.json``, one with the shots of all.

    Args:
        runs: folders of finished runs, two or more.
        out: new or empty folder.

    Raises:
        UserError: fewer than two runs, a run that is no model, two networks or class sets that differ, a folder in use.
    """
    if len(runs) < 2:
        raise UserError(
            f"An average takes two runs or more, and {len(runs)} was given: pixda average RUN RUN --out DIR."
        )
    if out.exists() and (not out.is_dir() or not all(map(_is_left_over, out.iterdir()))):
        raise UserError(f"{out} is not empty; choose another --out, so that no run is overwritten.")
    first, made = load_model(runs[0])
    # In float64 the mean of equal weights is that weight.
    total = {
        name: tensor.to(torch.float64, copy=True)
        for name, tensor in first.state_dict().items()
        if tensor.is_floating_point()
    }
    for run in runs[1:]:
        other, _ = load_model(run)
        if other.spec() != first.spec():
            raise UserError(f"{run} holds another network than {runs[0]}: only weights of equal networks have a mean.")
        if other.classes != first.classes:
            raise UserError(f"{run} tells other classes apart than {runs[0]}: only equal class sets have a mean.")
        weights = other.state_dict()
        for name in total:
            total[name] += weights[name]
    # Counters of batches stay those of the first run.
    first.load_state_dict({name: tensor / len(runs) for name, tensor in total.items()}, strict=False)
    out.mkdir(parents=True, exist_ok=True)
    try:
        manifests = [run / "shots.json" for run in runs if (run / "shots.json").is_file()]
        if manifests:
            names = dict.fromkeys(name for manifest in manifests for name in read_manifest(manifest).names)
            write_manifest(out / "shots.json", list(names), "the shots of all runs that were averaged")
        averaged = [{"run": str(run), "weights": model_hash(run)} for run in runs]
        save_model(out, first, {**made, "averaged": averaged})  # last: a folder with weights is complete
    except BaseException:
        shutil.rmtree(out)
        raise


def _is_left_over(path: Path) -> bool:
    """Whether a file is what an average leaves that was killed before its weights were in place."""
    return path.name in ("shots.json", "model.json") or path.name.startswith(".unfinished-")
