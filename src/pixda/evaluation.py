"""Scoring a segmenter on labelled frames: logits upsampled to the ground truth's own size, one confusion matrix."""

from collections.abc import Callable

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor

from pixda.data.dataset import SegmentationDataset
from pixda.machine import distributed
from pixda.metrics import ConfusionMatrix
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample


def resized(image: Tensor, size: tuple[int, int] | None) -> Tensor:
    """uint8 ``3 x H x W`` at (width, height), bicubic; unchanged where ``size`` is None or its own."""
    if size is None or size == (image.shape[2], image.shape[1]):
        return image
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    return torch.from_numpy(np.array(picture.resize(size, Image.Resampling.BICUBIC))).permute(2, 0, 1)


@torch.no_grad()
def predict(segmenter: Segmenter, image: Tensor, size: tuple[int, int] | None, fabric: Fabric) -> Tensor:
    """Class indices for one image.

    Args:
        segmenter: in eval mode.
        image: uint8 ``3 x H x W``, RGB.
        size: (width, height) that the network works at; None is the image's own.
        fabric: device and precision.

    Returns:
        uint8 ``H x W``, at the image's own size, on the device.
    """
    shown = resized(image, size)
    with fabric.autocast():
        logits = segmenter(shown[None].to(fabric.device).float())
    return likeliest(logits, image.shape[-2:])


def likeliest(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """The class of the highest logit at each pixel.

    Args:
        logits: float ``1 x C x h x w``.
        size: height and width, H and W.

    Returns:
        uint8 ``H x W``.
    """
    of = _likeliest_on_cpu if logits.device.type == "cpu" else _likeliest_on_any_device
    return of(logits, size)


def _likeliest_on_any_device(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """All pixels at once; for GPUs."""
    return upsample(logits, size)[0].argmax(0).to(torch.uint8)


def _likeliest_on_cpu(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """The same a few lines at a time: a map of all classes at 2048 x 1024 would take 160 MB."""
    height, width = size
    lines = upsample(logits, (logits.shape[-2], width))[0]  # C x h x W: first along the few lines there are
    places = torch.arange(height, dtype=torch.float32) * ((lines.shape[1] - 1) / max(height - 1, 1))
    above = places.long().clamp_max(lines.shape[1] - 1)
    between = (places - above)[:, None]  # how far below that line a pixel lies, 0..1
    result = torch.empty(height, width, dtype=torch.uint8)
    done = 0
    for line, count in enumerate(torch.bincount(above).tolist()):
        next_line = min(line + 1, lines.shape[1] - 1)
        for share in torch.split(between[done : done + count], 8):
            scores = torch.lerp(lines[:, line, None], lines[:, next_line, None], share)
            result[done : done + len(share)] = _argmax(scores)
            done += len(share)
    return result


def _argmax(scores: Tensor) -> Tensor:
    """``scores.argmax(0)`` as uint8, of ``C x H x W``: class by class, which a processor does many times as fast."""
    best, classes = scores[0], torch.zeros(scores.shape[1:], dtype=torch.uint8)
    for number, of_class in enumerate(scores[1:], start=1):
        classes.masked_fill_(of_class > best, number)
        best = torch.maximum(best, of_class)
    return classes


def evaluate(
    segmenter: Segmenter,
    dataset: SegmentationDataset,
    size: tuple[int, int] | None,
    fabric: Fabric,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ConfusionMatrix:
    """The confusion matrix over a dataset.

    Args:
        segmenter: any; it is put in eval mode and back.
        dataset: labelled frames at their stored size (``size=None``), since scores belong to the ground truth's size.
        size: (width, height) that the network works at; None is each image's own.
        fabric: device and precision.
        progress: told (done, total) after each frame.

    Of several processes each scores a part of the frames, and all have the whole matrix.
    """
    matrix = ConfusionMatrix(segmenter.classes, fabric.device)
    training = segmenter.training
    segmenter.eval()
    for index in range(fabric.global_rank, len(dataset), fabric.world_size):
        sample = dataset[index]
        predicted = predict(segmenter, sample.image, size, fabric)
        matrix.update(predicted, sample.mask.to(fabric.device))
        progress(min(index + fabric.world_size, len(dataset)), len(dataset))
    matrix.counts = distributed.total(fabric, matrix.counts)
    segmenter.train(training)
    return matrix
