"""A finished model in Python: ``from pixda.api import load; load("runs/first").predict("photo.jpg")``."""

from pathlib import Path

import numpy as np
import torch

from pixda.checkpoint import load_model
from pixda.config import Machine
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.experiment import make_fabric
from pixda.predict.inputs import load_image
from pixda.predict.network import Predictor


class Model:
    """A trained network, ready to be asked.

    Attributes:
        classes: names, colours and protocols, in the order of the indices that :meth:`predict` gives.
    """

    def __init__(self, classes: ClassSet, predictor: Predictor) -> None:
        self.classes = classes
        self._predictor = predictor

    def predict(self, image: np.ndarray | str | Path) -> np.ndarray:
        """Class indices of one image.

        Args:
            image: uint8 ``H x W x 3``, RGB; or the path of an image file.

        Returns:
            uint8 ``H x W``, at the image's own size.

        Raises:
            UserError: the file cannot be decoded, or the array is no such image.
        """
        if not isinstance(image, np.ndarray):
            return self._predictor([load_image(Path(image))])[0].classes
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise UserError(
                f"An image is uint8 H x W x 3 (RGB), not {image.dtype} {' x '.join(map(str, image.shape))}."
            )
        return self._predictor([torch.from_numpy(image.copy()).permute(2, 0, 1)])[0].classes


def load(run: str | Path, size: tuple[int, int] | None = None) -> Model:
    """A finished run's model, on the GPU if there is one.

    Args:
        run: the run's folder, or its ``model.safetensors``.
        size: (width, height) for the network; None is the size it was trained at.
    """
    segmenter, made = load_model(Path(run))
    width, height = size or made["config"]["size"]
    return Model(segmenter.classes, Predictor(segmenter, make_fabric(Machine()), (width, height)))
