"""Where the numbers and pictures of a run can go beside its own files: TensorBoard, Weights & Biases, MLflow."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pixda.errors import UserError
from pixda.watch.loggers.logger import Logger, Opened

LoggerName = Literal["tensorboard", "wandb", "mlflow"]

# Name -> title, and the extra that brings the package; the module of that name here is imported when it is needed.
_TITLES: dict[str, tuple[str, str | None]] = {
    "tensorboard": ("TensorBoard", None),
    "wandb": ("Weights & Biases", "wandb"),
    "mlflow": ("MLflow", "mlflow"),
}


def check_installed(names: Sequence[str]) -> None:
    """Raise UserError for the first of these loggers whose package is not installed."""
    for name in names:
        title, extra = _TITLES[name]
        if extra is not None and importlib.util.find_spec(name) is None:
            raise UserError(
                f"{title} is not installed: pip install 'pixda[{extra}]', or leave {name} out of --watch.loggers."
            )


def open_loggers(names: Sequence[str], folder: Path, title: str, config: dict[str, Any]) -> dict[str, Opened]:
    """Open these loggers for one run, or again for a run that goes on.

    Args:
        names: of loggers; named twice, one is opened once.
        folder: that the run keeps its logs in; it remembers which run of a logger this one is.
        title: what the run is called there.
        config: what the run was asked for.

    Raises:
        UserError: a logger cannot begin: it has no account, or its server does not answer.
    """
    opened: dict[str, Opened] = {}
    for name in dict.fromkeys(names):
        module = importlib.import_module(f"{__name__}.{name}")
        try:
            opened[name] = cast(Opened, module.open_logger(folder, title, config))
        except Exception as error:  # each package has its own kinds
            for other in opened.values():
                other.logger.close(finished=False)
            raise UserError(
                f"{_TITLES[name][0]} cannot begin ({' '.join(str(error).split())[:300]}); mend that, or leave {name} "
                "out of --watch.loggers."
            ) from error
    return opened


__all__ = ["Logger", "LoggerName", "Opened", "check_installed", "open_loggers"]
