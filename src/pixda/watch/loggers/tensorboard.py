"""TensorBoard: event files in the run's own logs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from PIL import Image


class _TensorBoard:
    """Event files in ``<folder>/tensorboard``; a run that goes on adds another beside them."""

    def __init__(self, folder: Path, title: str, config: dict[str, Any]) -> None:
        self.place = f"tensorboard --logdir {folder / 'tensorboard'}"
        self._board = TensorBoardLogger(folder, name="tensorboard", version="")

    def metrics(self, values: Mapping[str, float], step: int, total: int) -> None:
        self._board.log_metrics(dict(values), step)
        self._board.save()  # a run that is killed and goes on does not tell it again

    def picture(self, name: str, picture: Image.Image, step: int, total: int) -> None:
        self._board.experiment.add_image(name, np.asarray(picture), step, dataformats="HWC")
        self._board.save()

    def close(self, finished: bool) -> None:
        self._board.finalize("success")


open_logger = _TensorBoard
