"""The commands that a comparison runs: a first stage for cells that can share one, then every cell."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pixda.comparison.grid import Planned, Run
from pixda.comparison.results import Cell
from pixda.config import plain
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.reading import read_yaml
from pixda.training.checkpoint import differences

_CONFIG = "asked.yaml"


@dataclass(frozen=True)
class Job:
    """One run, in a process of its own."""

    title: str
    """For people."""
    folder: Path
    """Where the run is kept; whoever works in it holds its lock."""
    words: Sequence[str]
    """The ``pixda`` command."""
    product: Path
    """The file that says the job is done."""
    needs: "Job | None" = None
    """What must be done before."""
    cell: Cell | None = None
    """The cell that the job fills; None for a first stage."""
    twin: Path | None = None
    """What the job would make, where the one it needs makes it on its way; it is copied, and nothing is run."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.product.is_file()

    @property
    def log(self) -> Path:
        """What the command printed."""
        return self.folder / "log.txt"

    @property
    def failure(self) -> Path:
        """The sentence with which it failed, if it did."""
        return self.folder / "failure.txt"


def jobs_for(cells: Sequence[Planned], out: Path) -> list[Job]:
    """The first stages, then the cells, each of which needs one of them.

    Two cells share a first stage when everything that goes into it is equal: class set, size, source, network and
    its weights, seed, and the settings of the pretraining.
    """
    firsts: dict[str, Job] = {}
    filled: list[Job] = []
    for planned in cells:
        key = _key(planned.first)
        if key not in firsts:
            folder = out / "runs" / f"first_{key}"
            title = f"first stage {key}, seed {planned.cell.seed}"
            firsts[key] = Job(title, folder, _train(folder), folder / "model.safetensors")
            _write_config(firsts[key], planned.first.values, kept=True)
        filled.append(_cell_job(planned, firsts[key], out))
    return [*firsts.values(), *filled]


_OF_SHOTS = ("shots", "shots_in_total", "shot_list")  # not part of what is scored


def _cell_job(planned: Planned, first: Job, out: Path) -> Job:
    cell, training = planned.cell, planned.run.training
    folder = out / "runs" / _slug(cell)
    product = folder / "scores.json"
    title = " · ".join(filter(None, [cell.split, cell.row, f"{cell.shots}-shot", f"seed {cell.seed}"]))
    if len(training.recipe.phases()) > 1:
        job = Job(title, folder, _train(folder), product, first, cell)
        _write_config(job, {**planned.run.values, "start_from": str(first.folder)})
        return job
    # Nothing is trained after the first stage: it is scored on this cell's target, unless it was made with that one.
    scored = _scored(yaml.safe_load((first.folder / _CONFIG).read_text())) == _scored(plain(planned.run.values))
    twin = first.folder / "scores.json" if scored else None
    data = {name: value for name, value in plain(asdict(training.experiment.target)).items() if value is not None}
    data["split"] = data.pop("test_split")
    options = [f"--data.{name}={json.dumps(v) if isinstance(v, dict) else v}" for name, v in data.items()
               if name not in _OF_SHOTS]  # fmt: skip
    words = ["evaluate", "--model", str(first.folder), *options, "--out", str(product)]
    job = Job(title, folder, words, product, first, cell, twin)
    _write_config(job, planned.run.values)
    return job


def _scored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that says what is scored."""
    return {name: value for name, value in values["target"].items() if name not in _OF_SHOTS}


def _train(folder: Path) -> list[str]:
    return ["train", "--config", str(folder / _CONFIG), "--out", str(folder), "--resume", "true"]


def _write_config(job: Job, values: Mapping[str, Any], kept: bool = False) -> None:
    """Write the config of a job; ``kept``: one that is there already stays (another target may have come first).

    Raises:
        UserError: the folder holds another run.
    """
    path = job.folder / _CONFIG
    wanted = plain(values)
    if path.is_file():
        if kept:
            return
        before = read_yaml(path, "The config of an earlier comparison,")
        if not isinstance(before, dict):
            raise UserError(f"{path} holds no config: remove its folder, or choose another --out.")
        # The name of a first stage says all that went into it; the folder around it may have been moved.
        changed = differences(_stage_named(before), _stage_named(wanted))
        if changed := [text for text in changed if not text.startswith(("machine.", "watch."))]:
            raise UserError(
                f"{job.folder} holds the cell '{job.title}' of another grid: {'; '.join(changed)}. Choose "
                "another --out, give the row another label, or remove that folder."
            )
    job.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(wanted, sort_keys=False))


def _stage_named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "start_from": Path(values["start_from"]).name} if values.get("start_from") else dict(values)


def _key(stage: Run) -> str:
    """A hash of all that a first stage depends on."""
    experiment, recipe = stage.training.experiment, asdict(stage.training.recipe)
    weights = experiment.network.weights
    local = weights is not None and "://" not in weights and Path(weights).expanduser().is_file()
    parts: dict[str, Any] = {
        "classes": ClassSet.load(experiment.classes).to_dict(),
        "size": experiment.size,
        "source": {name: value for name, value in asdict(experiment).items() if "source" in name and value},
        "network": asdict(experiment.network),
        "weights": hashlib.sha256(Path(str(weights)).expanduser().read_bytes()).hexdigest() if local else weights,
        "start_from": experiment.start_from,
        "seed": experiment.seed,
        "recipe": recipe,
    }
    return hashlib.sha256(json.dumps(plain(parts), sort_keys=True).encode()).hexdigest()[:10]


def _slug(cell: Cell) -> str:
    """A folder name for a cell; labels that are spelled alike but for signs are told apart by a hash."""
    label = f"{cell.split} {cell.row}".strip()
    readable = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:60]
    digest = hashlib.sha256(f"{cell.split}\n{cell.row}".encode()).hexdigest()[:6]
    return f"{readable}_{digest}_{cell.shots}-shot_seed{cell.seed}"
