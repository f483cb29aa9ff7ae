"""Weights & Biases; what it is to do is said by its own variables: WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from PIL import Image

from pixda.watch.loggers.logger import remember, remembered


class _WandB:
    """A run of the project ``pixda``, or of the one that WANDB_PROJECT names."""

    def __init__(self, folder: Path, title: str, config: dict[str, Any]) -> None:
        number = remembered(folder, "wandb") or uuid.uuid4().hex[:8]
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "pixda"),
            id=number,
            resume="allow",
            name=title,
            config=config,
            dir=folder,
            # Its own lines, and its catching of ours, would tear the view of the run.
            settings=wandb.Settings(silent=True, console="off"),
        )
        remember(folder, "wandb", number)
        offline = f"offline; later: wandb sync {folder / 'wandb'}/offline-run-*"
        self.place = offline if self._run.offline else str(self._run.url)
        self._phases: set[str] = set()
        self._last = -1

    def metrics(self, values: Mapping[str, float], step: int, total: int) -> None:
        self._log(values, step, total)

    def picture(self, name: str, picture: Image.Image, step: int, total: int) -> None:
        self._log({name: wandb.Image(picture)}, step, total)

    def close(self, finished: bool) -> None:
        self._run.finish(0 if finished else 1)

    def _log(self, values: Mapping[str, Any], step: int, total: int) -> None:
        phase = next(iter(values)).split("/")[0]
        if phase not in self._phases:  # its own step is the axis of all that belongs to it
            self._phases.add(phase)
            self._run.define_metric(f"{phase}/step", hidden=True)
            self._run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")
        # Said each time: a part of a run that was logged offline knows nothing of the part before it. Committed each
        # time: a row that waits for more is lost with a run that is killed. So two rows of one step are neighbours.
        self._last = max(total, self._last + 1)
        self._run.log({**values, f"{phase}/step": step}, step=self._last, commit=True)


open_logger = _WandB
