"""Scoring a segmenter on labelled frames: logits upsampled to the ground truth's own size, one confusion matrix."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor

from pixda.data.classes import IGNORE
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
    return likeliest(_logits(segmenter, image, size, fabric), image.shape[-2:])


def _logits(segmenter: Segmenter, image: Tensor, size: tuple[int, int] | None, fabric: Fabric) -> Tensor:
    """``1 x C x h x w``, on the device, of one uint8 image ``3 x H x W``."""
    with fabric.autocast():
        logits: Tensor = segmenter(resized(image, size)[None].to(fabric.device).float())
    return logits


def likeliest(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """The class of the highest logit at each pixel, as ``upsample(logits, size)[0].argmax(0)`` says.

    Args:
        logits: float ``1 x C x h x w``.
        size: height and width, H and W.

    Returns:
        uint8 ``H x W``.
    """
    result = torch.empty(size, dtype=torch.uint8, device=logits.device)
    for lines, scores in _upsampled(logits, size):
        result[lines] = _argmax(scores)
    return result


def likeliest_and_confidence(logits: Tensor, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """What ``likeliest`` says, and the softmax of that class at each pixel: float32 ``H x W``, 1/C..1."""
    classes = torch.empty(size, dtype=torch.uint8, device=logits.device)
    confidence = torch.empty(size, device=logits.device)
    for lines, scores in _upsampled(logits, size):
        classes[lines] = _argmax(scores)
        # exp(z_best) / sum of exp(z), divided by exp(z_best), which keeps exp from overflowing
        confidence[lines] = (scores - scores.amax(0)).exp_().sum(0).reciprocal_()
    return classes, confidence


def _upsampled(logits: Tensor, size: tuple[int, ...]) -> Iterator[tuple[slice, Tensor]]:
    """The lines of ``upsample(logits, size)[0]``, from the top: which ones, and float32 ``C x lines x W``."""
    if logits.device.type == "cpu":
        yield from _a_few_lines_at_a_time(logits, size)
    else:
        yield slice(None), upsample(logits, size)[0]


def _a_few_lines_at_a_time(logits: Tensor, size: tuple[int, ...]) -> Iterator[tuple[slice, Tensor]]:
    """For processors: a map of all classes at 2048 x 1024 would take 160 MB."""
    height, width = size
    lines = upsample(logits, (logits.shape[-2], width))[0]  # C x h x W: first along the few lines there are
    places = torch.arange(height, dtype=torch.float32) * ((lines.shape[1] - 1) / max(height - 1, 1))
    above = places.long().clamp_max(lines.shape[1] - 1)
    between = (places - above)[:, None]  # how far below that line a pixel lies, 0..1
    done = 0
    for line, count in enumerate(torch.bincount(above).tolist()):
        next_line = min(line + 1, lines.shape[1] - 1)
        for share in torch.split(between[done : done + count], 8):
            yield slice(done, done + len(share)), torch.lerp(lines[:, line, None], lines[:, next_line, None], share)
            done += len(share)


def _argmax(scores: Tensor) -> Tensor:
    """``scores.argmax(0)`` as uint8, of ``C x H x W``."""
    if scores.device.type != "cpu":
        return scores.argmax(0).to(torch.uint8)
    # Class by class, which a processor does many times as fast.
    best, classes = scores[0], torch.zeros(scores.shape[1:], dtype=torch.uint8)
    for number, of_class in enumerate(scores[1:], start=1):
        classes.masked_fill_(of_class > best, number)
        best = torch.maximum(best, of_class)
    return classes


@torch.no_grad()
def sample_logits(
    segmenter: Segmenter, dataset: SegmentationDataset, size: tuple[int, int] | None, fabric: Fabric, each: int
) -> tuple[Tensor, Tensor]:
    """Upsampled logits at labelled pixels that are drawn from every frame, the same ones each time.

    Args:
        segmenter: any; it is put in eval mode and back.
        dataset: labelled frames at their stored size.
        size: (width, height) that the network works at; None is each image's own.
        fabric: device and precision.
        each: most pixels of a frame.

    Returns:
        float32 ``N x C`` and int64 labels ``N``, on the CPU.
    """
    training = segmenter.training
    segmenter.eval()
    found, truth = [], []
    generator = torch.Generator().manual_seed(0)
    for sample in (dataset[index] for index in range(len(dataset))):
        labelled = (sample.mask.flatten() != IGNORE).nonzero()[:, 0]
        drawn = labelled[torch.randperm(len(labelled), generator=generator)[:each]]
        height, width = sample.mask.shape
        logits = _logits(segmenter, sample.image, size, fabric).float()
        # From -1 to 1 between the centres of the corner pixels, as `upsample` aligns them.
        places = torch.stack([drawn % width / max(width - 1, 1), drawn // width / max(height - 1, 1)], -1) * 2 - 1
        grid = places[None, None].to(logits.device)
        found.append(F.grid_sample(logits, grid, mode="bilinear", align_corners=True)[0, :, 0].T.cpu())
        truth.append(sample.mask.flatten()[drawn].long())
    segmenter.train(training)
    return torch.cat(found), torch.cat(truth)


@torch.no_grad()
def evaluate(
    segmenter: Segmenter,
    dataset: SegmentationDataset,
    size: tuple[int, int] | None,
    fabric: Fabric,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ConfusionMatrix:
    """The confusion matrix over a dataset, with its pixels by confidence.

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
        logits = _logits(segmenter, sample.image, size, fabric)
        predicted, confidence = likeliest_and_confidence(logits, sample.image.shape[-2:])
        matrix.update(predicted, sample.mask.to(fabric.device), confidence)
        progress(min(index + fabric.world_size, len(dataset)), len(dataset))
    matrix.counts = distributed.total(fabric, matrix.counts)
    matrix.bins = distributed.total(fabric, matrix.bins)
    segmenter.train(training)
    return matrix
