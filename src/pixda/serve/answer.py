"""Shows what a model predicts for an image, as pictures and a table."""

from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from pixda.config import Machine
from pixda.machine.devices import make_fabric
from pixda.models.saved import load_model
from pixda.predict.network import Predictor
from pixda.predict.outputs import overlaid


class Answer(NamedTuple):
    """Pictures at the size of the image, and a table of its classes."""

    overlay: Image.Image
    mask: Image.Image
    """Colours of the classes."""
    confidence: Image.Image
    """Grey: black is 0, white is 1."""
    table: str
    """HTML: colour, name, share of the image and mean confidence of every predicted class, largest first."""


class ServedModel:
    """The model of a finished run, from its folder or its ``model.safetensors``, loaded for prediction."""

    def __init__(self, path: Path) -> None:
        segmenter, made = load_model(path)
        width, height = made["config"]["size"]
        self._classes = segmenter.classes
        self._predictor = Predictor(segmenter, make_fabric(Machine()), (width, height))
        self.about = (
            f"{made['method']}, {made['config']['network']['architecture']}, {len(segmenter.classes.names)} classes, "
            f"works at {width} x {height}"
        )

    def __call__(self, image: Tensor) -> Answer:
        """Predict an image: uint8 ``3 x H x W``, RGB."""
        classes, confidence = self._predictor([image])[0]
        palette = self._classes.palette()
        return Answer(
            Image.fromarray(overlaid(image, classes, palette)),
            Image.fromarray(palette[classes]),
            Image.fromarray((confidence * 255).round().astype(np.uint8)),
            self._table(classes, confidence),
        )

    def _table(self, classes: np.ndarray, confidence: np.ndarray) -> str:
        count = len(self._classes.names)
        pixels = np.bincount(classes.ravel(), minlength=count)
        sure = np.bincount(classes.ravel(), confidence.ravel(), minlength=count) / np.maximum(pixels, 1)
        rows = [
            f'<tr><td><span class="swatch" style="background: rgb{self._classes.colours[index]}"></span></td>'
            f"<td>{escape(self._classes.names[index])}</td><td>{100 * pixels[index] / pixels.sum():.1f} %</td>"
            f"<td>{sure[index]:.2f}</td></tr>"
            for index in sorted(np.flatnonzero(pixels), key=lambda index: -pixels[index])
        ]
        head = "<tr><th></th><th>class</th><th>share</th><th>confidence</th></tr>"
        return f'<table class="classes">{head}{"".join(rows)}</table>'
