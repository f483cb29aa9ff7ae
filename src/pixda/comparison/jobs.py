"""The commands that a comparison runs: a first stage for cells that can share one, then every cell."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pixda.comparison.grid import Cell, Planned, RunOptions
from pixda.config import plain
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.methods import METHODS
from pixda.metrics import Scores
from pixda.reading import read_yaml
from pixda.training.checkpoint import differences

_CONFIG = "asked.yaml"


@dataclass(frozen=True, eq=False)
class Job:
    """One ``pixda`` command, run in a process of its own."""

    title: str
    """Split, row, shots and seed, for people."""
    folder: Path
    """Where the result is kept; the process that works in it holds its lock."""
    words: Sequence[str]
    """The command."""
    product: Path
    """The file that says the job is done."""
    model: Path
    """``model.json`` of the model that it makes or scores."""
    needs: Sequence["Job"] = ()
    """The jobs that must be done before."""
    folds: int = 0
    """K, where the scores are means over K folds of the shots."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.product.is_file()

    @property
    def scores(self) -> Scores | None:
        """What it has scored; None before that, or where it scores nothing."""
        if not self.done:
            return None
        if self.folds:
            folds = range(1, self.folds + 1)
            return Scores.mean_of([Scores.load(self.folder / f"fold_{fold}" / "scores.json") for fold in folds])
        return Scores.load(self.product) if self.product.suffix == ".json" else None

    @property
    def kind(self) -> tuple[str, str]:
        """Command and row (with the split, without shots and seed): jobs of one kind take about the same time."""
        return (self.words[0], self.title.rsplit(" · ", 2)[0]) if self.needs else ("first stage", "")

    @property
    def log(self) -> Path:
        """What the command printed."""
        return self.folder / "log.txt"

    @property
    def failure(self) -> Path:
        """The sentence with which it failed, if it did."""
        return self.folder / "failure.txt"


def jobs_for(cells: Sequence[Planned], out: Path) -> tuple[list[Job], dict[Cell, Job]]:
    """The jobs in the order in which they are to start, and which of them scores each cell.

    Two cells share a first stage when everything that goes into it is equal: class set, size, source, network and
    its weights, seed, and the settings of the pretraining.

    Raises:
        UserError: a folder in ``out`` holds a cell of another grid.
    """
    shared: dict[Path, Job] = {}
    runs = out / "runs"
    scoring = {planned.cell: _scoring_job(planned, shared, runs) for planned in cells if not planned.of}
    for planned in cells:
        if planned.of:
            scoring[planned.cell] = _job_of_others(planned, [scoring[cell] for cell in planned.of], shared, runs)
    return list(dict.fromkeys([*shared.values(), *scoring.values()])), scoring


def _scoring_job(planned: Planned, shared: dict[Path, Job], runs: Path) -> Job:
    """The job that scores a cell: the first stage itself, where nothing more is trained and it has the same target."""
    cell, run = planned.cell, planned.run
    first = _first_stage(planned, shared, runs)
    folder = runs / f"{_slug(cell)}_{cell.shots}-shot_seed{cell.seed}"
    title = _title(cell, f"{cell.shots}-shot")
    scores = folder / "scores.json"
    trains = len(run.training.recipe.phases()) > 1
    if planned.folds:
        model = folder / "fold_1" / "model.json"
        if not METHODS[run.training.method].learns_from_shots:  # no fold changes the model, which is scored on each
            first = _trained_once(planned, first, shared, runs) if trains else first
            run, model = planned.first, first.model
        words = ["validate", *_train(folder)[1:]]
        job = Job(title, folder, words, folder / "validation.json", model, [first], planned.folds)
        _write_config(job, {**run.values, "start_from": str(first.folder), "folds": planned.folds})
    elif trains:
        job = Job(title, folder, _train(folder), scores, folder / "model.json", [first])
        _write_config(job, {**run.values, "start_from": str(first.folder)})
    elif _scored(yaml.safe_load((first.folder / _CONFIG).read_text())) == _scored(plain(run.values)):
        job = first
    else:
        job = Job(title, folder, _evaluate(first, run, scores), scores, first.model, [first])
        _write_config(job, run.values)
    return job


def _job_of_others(planned: Planned, others: Sequence[Job], shared: dict[Path, Job], runs: Path) -> Job:
    """The job that scores the network of another cell, or the mean of the weights of several, on several views."""
    cell, row = planned.cell, planned.row
    folder = runs / f"{_slug(cell)}_{cell.shots}-shot_seed{cell.seed}"
    network = others[0]
    of = {other.folder.name: _asked(other) for other in others}
    if len(others) > 1:
        # Cells that differ in their views alone share the mean.
        work = runs / f"mean_{_short_hash(of)}"
        mean = work / "network"
        if work not in shared:
            words = ["average", *(str(other.model.parent) for other in others), "--out", str(mean)]
            product = mean / "model.safetensors"
            shared[work] = Job(
                _title(cell, f"{cell.shots}-shot, mean of weights"), work, words, product, mean / "model.json", others
            )
            work.mkdir(parents=True, exist_ok=True)
        network = shared[work]
    scores = folder / "scores.json"
    views = [f"--scales={json.dumps(row.scales)}", f"--flips={json.dumps(row.flips)}"]
    words = [*_evaluate(network, planned.run, scores), *views]
    job = Job(_title(cell, f"{cell.shots}-shot"), folder, words, scores, network.model, [network])
    _write_config(job, {"of": of, "scales": row.scales, "flips": row.flips})
    return job


def _asked(job: Job) -> str:
    """A hash of a job's config, without what may change: with it, a mean of runs that were changed is another one."""
    values = _without_place(yaml.safe_load((job.folder / _CONFIG).read_text()))
    return _short_hash({name: value for name, value in values.items() if name not in ("machine", "watch")})


def _evaluate(network: Job, run: RunOptions, scores: Path) -> list[str]:
    """The command that scores a job's network on the test split of a run's target."""
    target = plain(asdict(run.training.experiment.target))
    data = {name: value for name, value in target.items() if name not in _OF_SHOTS and value is not None}
    data["split"] = data.pop("test_split")
    options = [f"--data.{name}={json.dumps(v) if isinstance(v, dict) else v}" for name, v in data.items()]
    return ["evaluate", "--model", str(network.model.parent), *options, "--out", str(scores)]


def _first_stage(planned: Planned, shared: dict[Path, Job], runs: Path) -> Job:
    key = _key(planned.first)
    folder = runs / f"first_{key}"
    if folder not in shared:
        product = folder / ("model.safetensors" if planned.folds else "scores.json")
        title = f"first stage {key}, seed {planned.cell.seed}"
        shared[folder] = Job(title, folder, _train(folder), product, folder / "model.json")
        # The folder's name says all that its training depends on; one that exists may be scored on another target.
        if not (folder / _CONFIG).is_file():
            _write_config(shared[folder], planned.first.values)
    return shared[folder]


def _trained_once(planned: Planned, first: Job, shared: dict[Path, Job], runs: Path) -> Job:
    """The training of a row that learns nothing from the shots: one for all numbers of shots and all folds."""
    cell, run = planned.cell, planned.run.at(1, planned.cell.seed)
    folder = runs / f"{_slug(cell)}_trained_seed{cell.seed}"
    if folder not in shared:
        model = folder / "model.safetensors"
        title = _title(cell, "training")
        shared[folder] = Job(title, folder, _train(folder), model, folder / "model.json", [first])
        _write_config(shared[folder], {**run.values, "start_from": str(first.folder)})
    return shared[folder]


def _title(cell: Cell, what: str) -> str:
    return " · ".join(filter(None, [cell.split, cell.row, what, f"seed {cell.seed}"]))


_OF_SHOTS = ("shots", "shots_in_total", "shot_list")  # not part of what is scored


def _scored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that says what is scored."""
    return {name: value for name, value in values["target"].items() if name not in _OF_SHOTS}


def _train(folder: Path) -> list[str]:
    return ["train", "--config", str(folder / _CONFIG), "--out", str(folder), "--resume", "true"]


def _write_config(job: Job, values: Mapping[str, Any]) -> None:
    """Write the config of a job. Raises UserError where its folder holds another run."""
    path = job.folder / _CONFIG
    wanted = plain(values)
    if path.is_file():
        before = read_yaml(path, "The config of an earlier comparison,")
        if not isinstance(before, dict):
            raise UserError(f"{path} holds no config: remove its folder, or choose another --out.")
        changed = differences(_without_place(before), _without_place(wanted))
        if changed := [text for text in changed if not text.startswith(("machine.", "watch."))]:
            raise UserError(
                f"{job.folder} holds the cell '{job.title}' of another grid: {'; '.join(changed)}. Choose "
                "another --out, give the row another label, or remove that folder."
            )
    job.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(wanted, sort_keys=False))


def _without_place(values: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the name alone of the first stage's folder, since the folders around it may have been moved."""
    return {**values, "start_from": Path(values["start_from"]).name} if values.get("start_from") else dict(values)


def _key(stage: RunOptions) -> str:
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
    return _short_hash(plain(parts))


def _short_hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def _slug(cell: Cell) -> str:
    """Split and row as part of a folder name; a hash tells labels apart that differ in signs alone."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{cell.split} {cell.row}").strip("-").lower()[:60]
    digest = hashlib.sha256(f"{cell.split}\n{cell.row}".encode()).hexdigest()[:6]
    return f"{readable}_{digest}"
