"""What a run folder holds, read for a report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.methods.source_only import SourceOnly
from pixda.metrics import Scores
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.options import Training, read_training


@dataclass(frozen=True)
class RunFolder:
    """A run, finished or not."""

    folder: Path
    training: Training
    """Its configuration: experiment, method and preset."""
    classes: ClassSet
    made: Mapping[str, Any] | None
    """The account in ``model.json``; None while the run is not finished."""
    scores: Scores | None
    """None while the run is not finished."""
    scored: Mapping[str, Any]
    """What the scores belong to: split, frames, network_size."""
    shots: Sequence[str]
    """Names of the labelled target frames."""

    @classmethod
    def read(cls, folder: Path) -> "RunFolder":
        """Read a folder of ``pixda train``.

        Raises:
            UserError: it is none, or a file in it is damaged.
        """
        config = folder / "config.yaml"
        if not config.is_file():
            raise UserError(
                f"{folder} is no run: there is no {config.name} in it. Name the folder of a run, or of a comparison."
            )
        training = read_training(["--config", str(config)])
        try:
            about = _json(folder / "model.json")
            record = _json(folder / "scores.json")
            scores = Scores.load(folder / "scores.json") if record and about else None
            shots = (_json(folder / "shots.json") or {"names": []})["names"]
            classes = ClassSet.from_dict(about["classes"]) if about else ClassSet.load(training.experiment.classes)
            made = about["made"] if about and scores else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"A file of the run in {folder} is damaged: {error!r}. Train it anew.") from error
        return cls(folder, training, classes, made, scores, record or {}, shots)

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end and scored."""
        return self.scores is not None

    @property
    def title(self) -> str:
        """The method's name as people know it; of source only, whether it is a first stage or the matched control."""
        recipe = self.training.recipe
        if isinstance(recipe, SourceOnly):
            return f"source only, {'step-matched' if recipe.more_steps else 'first stage'}"
        return self.training.recipe.title

    def model(self) -> Segmenter:
        """The finished network, in eval mode."""
        return load_model(self.folder)[0].eval()


def named(runs: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """The runs by their titles; where two have one title, with the settings or at least the folder that differ."""
    departures = [dict(run.made["departures"]) if run.made else {} for run in runs]
    shared = [key for key in departures[0] if all(one.get(key) == departures[0][key] for one in departures)]
    named: dict[str, RunFolder] = {}
    for run, own in zip(runs, departures, strict=True):
        title = run.title
        if sum(other.title == title for other in runs) > 1:
            differing = ", ".join(f"{key} = {value}" for key, value in own.items() if key not in shared)
            title = f"{title} ({differing})" if differing else title
        named[title if title not in named else f"{title} ({run.folder.name})"] = run
    return named


def one_task(runs: Sequence[RunFolder]) -> None:
    """Refuse runs whose scores cannot stand side by side.

    Raises:
        UserError: one is not finished, or was scored on other classes or frames than the first.
    """
    for run in runs if len(runs) > 1 else ():
        if not run.finished:
            raise UserError(
                f"The run in {run.folder} is not finished, so there is nothing to compare: go on with it "
                "(--resume true), or make a report of it alone."
            )
        if _task(run) != _task(runs[0]):
            raise UserError(
                f"{run.folder} was scored on other classes or frames than {runs[0].folder}: "
                f"{_task(run)} and {_task(runs[0])}; make a report of each."
            )


def _task(run: RunFolder) -> str:
    target = run.training.experiment.target
    root = target.root.expanduser().absolute()
    return f"{target.dataset} in {root}, {run.scored.get('split')}, classes {', '.join(run.classes.names)}"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
