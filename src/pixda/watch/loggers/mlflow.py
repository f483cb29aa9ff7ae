"""MLflow; where it keeps things is said by its own variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param
from PIL import Image

from pixda.watch.loggers.logger import remember, remembered

_LONGEST = 500  # characters of a parameter's value that every store takes
_AT_ONCE = 100  # parameters


class _MLflow:
    """A run of the experiment ``pixda``, or of the one that MLFLOW_EXPERIMENT_NAME names."""

    def __init__(self, folder: Path, title: str, config: dict[str, Any]) -> None:
        for name in ("alembic", "mlflow.store.db.utils"):  # fifty lines where a database is made
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = mlflow.MlflowClient()
        run = remembered(folder, "mlflow")
        if run is None:
            experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "pixda"))
            run = self._client.create_run(experiment.experiment_id, run_name=title).info.run_id
            params = [Param(name, str(value)[:_LONGEST]) for name, value in _leaves("", config)]
            for first in range(0, len(params), _AT_ONCE):
                self._client.log_batch(run, params=params[first : first + _AT_ONCE])
            remember(folder, "mlflow", run)
        else:
            self._client.update_run(run, status="RUNNING")
        self._run = run
        self.place = f"run {run} in {mlflow.get_tracking_uri()}"

    def metrics(self, values: Mapping[str, float], step: int, total: int) -> None:
        now = round(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now, step) for name, value in values.items()])

    def picture(self, name: str, picture: Image.Image, step: int, total: int) -> None:
        self._client.log_image(self._run, picture, key=name, step=step)

    def close(self, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


open_logger = _MLflow


def _leaves(group: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """``group.name`` and value of everything in nested dictionaries."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(f"{group}{name}.", value)
        else:
            yield f"{group}{name}", value
