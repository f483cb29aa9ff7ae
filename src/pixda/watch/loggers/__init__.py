"""Where the numbers and pictures of a run can go beside its own files: TensorBoard, Weights & Biases, MLflow."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixda.errors import UserError
from pixda.watch.loggers.logger import Logger

# The module of that name here is imported when it is needed, for the package comes with an extra of that name.
_TITLES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases", "mlflow": "MLflow"}


def check_installed(names: Sequence[str]) -> None:
    """Raise UserError for the first of these loggers whose package is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"{_TITLES[name]} is not installed: pip install 'pixda[{name}]', or leave {name} out of "
                "--watch.loggers."
            )


def open_loggers(names: Sequence[str], folder: Path, title: str, config: dict[str, Any]) -> dict[str, Logger]:
    """Open these loggers for one run, or again for a run that goes on.

    Args:
        names: of loggers; named twice, one is opened once.
        folder: that the run keeps its logs in; it remembers which run of a logger this one is.
        title: what the run is called there.
        config: what the run was asked for.

    Raises:
        UserError: a logger cannot begin: it has no account, or its server does not answer.
    """
    opened: dict[str, Logger] = {}
    for name in dict.fromkeys(names):
        module = importlib.import_module(f"{__name__}.{name}")
        try:
            opened[name] = module.open_logger(folder, title, config)
        except Exception as error:  # each package has its own kinds
            for other in opened.values():
                other.close(finished=False)
            raise UserError(
                f"{_TITLES[name]} cannot begin ({' '.join(str(error).split())[:300]}); mend that, or leave {name} "
                "out of --watch.loggers."
            ) from error
    return opened


__all__ = ["Logger", "check_installed", "open_loggers"]
