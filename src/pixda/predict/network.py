"""A segmenter on images of any size: whole, or a window at a time."""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from pixda.evaluation import resized
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample


class Prediction(NamedTuple):
    """What the network says of one image, at the image's own size."""

    classes: np.ndarray
    """uint8 ``H x W``, class indices."""
    confidence: np.ndarray
    """float32 ``H x W``, 0..1: the softmax of the class that was chosen, at the temperature that was asked for."""


class Predictor:
    """A segmenter, and how images are shown to it: at which size, whole or in windows.

    Args:
        segmenter: any; it is put in eval mode and on the device.
        fabric: device and precision.
        size: (width, height) that an image is brought to; None is its own.
        window: (width, height) of a window that slides over the image, neighbours sharing a third or more, softmax
            averaged where they do; None shows the image whole. An image that is smaller is shown whole, too.
        batch: images shown at once, or windows of one image.
        temperature: above 0, what logits are divided by for the confidence; the classes stay the same.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        fabric: Fabric,
        size: tuple[int, int] | None,
        window: tuple[int, int] | None = None,
        batch: int = 1,
        temperature: float = 1.0,
    ) -> None:
        self._segmenter = segmenter.to(fabric.device).eval()
        self._fabric = fabric
        self._size = size
        self._window = window
        self.group = batch if window is None and size is not None else 1
        """Images to be given at once."""
        self._batch = batch
        self._temperature = temperature

    @torch.inference_mode()
    def __call__(self, images: Sequence[Tensor]) -> list[Prediction]:
        """Predict images, each uint8 ``3 x H x W``, RGB; several of different sizes only with a ``size``."""
        shown = [resized(image, self._size) for image in images]
        if self._window is not None:
            return [self._slid(one, image.shape[-2:]) for one, image in zip(shown, images, strict=True)]
        logits = self._logits(torch.stack(shown))
        return [self._whole(one[None], image.shape[-2:]) for one, image in zip(logits, images, strict=True)]

    def _logits(self, images: Tensor) -> Tensor:
        with self._fabric.autocast():
            logits: Tensor = self._segmenter(images.to(self._fabric.device).float())
        return logits

    def _whole(self, logits: Tensor, size: tuple[int, ...]) -> Prediction:
        raised = upsample(logits, size)[0]
        return _prediction(raised.argmax(0), (raised / self._temperature).softmax(0).amax(0))

    def _slid(self, image: Tensor, size: tuple[int, ...]) -> Prediction:
        assert self._window is not None
        width, height = (min(part, whole) for part, whole in zip(self._window, image.shape[:0:-1], strict=True))
        places = list(product(starts(image.shape[1], height), starts(image.shape[2], width)))
        total = torch.zeros(len(self._segmenter.classes.names), *image.shape[1:], device=self._fabric.device)
        times = torch.zeros(image.shape[1:], device=self._fabric.device)
        for first in range(0, len(places), self._batch):
            some = places[first : first + self._batch]
            windows = torch.stack([image[:, top : top + height, left : left + width] for top, left in some])
            shares = upsample(self._logits(windows), (height, width)).softmax(1)
            for share, (top, left) in zip(shares, some, strict=True):
                total[:, top : top + height, left : left + width] += share
                times[top : top + height, left : left + width] += 1
        mean = upsample((total / times)[None], size)[0] if size != image.shape[1:] else total / times
        # The log of the averaged probabilities stands for the logits, so that overlaps are mixed as without a
        # temperature: softmax(log p / T) = p^(1/T) / sum of p^(1/T).
        cooled = mean if self._temperature == 1 else mean.pow(1 / self._temperature)
        cooled = cooled if self._temperature == 1 else cooled / cooled.sum(0)
        return _prediction(mean.argmax(0), cooled.amax(0))


def starts(length: int, window: int) -> list[int]:
    """Where windows begin on a side, in pixels, evenly spread from 0 to ``length - window``.

    Neighbours share a third of a window or more. A window as long as the side, or longer, begins at 0 alone.
    """
    room = length - window
    if room <= 0:
        return [0]
    steps = math.ceil(room / max(window * 2 // 3, 1))
    return [round(room * step / steps) for step in range(steps + 1)]


def _prediction(classes: Tensor, confidence: Tensor) -> Prediction:
    return Prediction(classes.to(torch.uint8).cpu().numpy(), confidence.cpu().numpy())
