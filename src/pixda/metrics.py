"""The confusion matrix over a whole dataset, and the scores of every protocol read from it."""

import json
import re
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import torch
from torch import Tensor

from pixda.calibration import BINS, Calibration, binned
from pixda.data.classes import IGNORE, ClassSet
from pixda.errors import UserError
from pixda.reading import one_line, read_json
from pixda.writing import atomic_write


class ConfusionMatrix:
    """Counts of pixels by (true class, predicted class), over all images seen.

    Args:
        classes: whose names and protocols the scores carry.
        device: where counting happens.
    """

    def __init__(self, classes: ClassSet, device: torch.device | None = None) -> None:
        self.classes = classes
        count = len(classes.names)
        self.counts = torch.zeros(count, count, dtype=torch.int64, device=device)
        """int64 ``C x C``; rows are the truth, columns the prediction."""
        self.bins = torch.zeros(3, BINS, dtype=torch.float64, device=device)
        """float64 ``3 x 15``: pixels, confidence and hits by confidence, as ``calibration.binned`` counts them."""

    def update(self, predicted: Tensor, labels: Tensor, confidence: Tensor | None = None) -> None:
        """Count one image or batch.

        Args:
            predicted: class indices 0..C-1, any integer type, ``... x H x W``.
            labels: the same shape, 0..C-1 or 255; ignored pixels are not counted.
            confidence: the same shape, 0..1, of the predicted class; without it the scores have no calibration.
        """
        if confidence is not None:
            labelled = labels != IGNORE
            self.bins += binned(confidence[labelled], predicted[labelled] == labels[labelled])
        count = _count_on_cpu if labels.device.type == "cpu" else _count_on_any_device
        self.counts += count(labels, predicted, len(self.classes.names))

    def scores(self) -> "Scores":
        """IoU of every class, and the means over the class set's protocols."""
        if not int(self.counts.sum()):
            raise UserError("There is nothing to score: no pixel of the evaluated frames has a label.")
        counts = self.counts.double().cpu()
        truth, predicted, hit = counts.sum(1), counts.sum(0), counts.diagonal()
        # A class without ground truth has no IoU here, even where it was predicted: those pixels already count
        # against the classes they were taken from.
        iou = torch.where(truth > 0, hit / (truth + predicted - hit).clamp_min(1), torch.nan)
        names = self.classes.names
        return Scores(
            iou={name: None if value.isnan() else float(value) for name, value in zip(names, iou, strict=True)},
            mean={name: _mean(iou[list(members)]) for name, members in self.classes.protocols.items()},
            pixel_share={name: float(s) for name, s in zip(names, truth / truth.sum(), strict=True)},
            pixel_accuracy=float(hit.sum() / truth.sum()),
            confusion=self.counts.tolist(),
            calibration=Calibration.of(self.bins) if self.bins.any() else None,
        )


@dataclass(frozen=True)
class Scores:
    """The scores of a confusion matrix.

    Attributes:
        iou: class -> intersection over union, 0..1; None where the class has no ground truth.
        mean: protocol ("19", "16", "13") -> mean IoU over its classes that have ground truth; None without any.
            Predictions of classes outside a protocol still count as errors (no second argmax).
        pixel_share: class -> share of the labelled pixels.
        pixel_accuracy: share of labelled pixels that are right.
        confusion: pixels by (true class, predicted class), in the order of ``iou``; None in files that were written
            before it was kept.
        calibration: pixels by confidence; None in files that were written before it was kept.
    """

    iou: dict[str, float | None]
    mean: dict[str, float | None]
    pixel_share: dict[str, float]
    pixel_accuracy: float
    confusion: list[list[int]] | None = None
    calibration: Calibration | None = None

    def save(self, path: Path, **protocol: Any) -> None:
        """Write the scores as JSON, with what they belong to: split, number of frames, the network's input size."""
        record = {**protocol, **asdict(self)}
        record = {name: value for name, value in record.items() if value is not None or name in protocol}
        text = json.dumps(record, indent=2)
        # A line for each list of numbers, not for every number in it. No string of JSON has a line break in it.
        text = re.sub(r"\[\n([-+.\de,\s]+)\]", lambda found: f"[{' '.join(found[1].split())}]", text)
        with atomic_write(path) as file:  # a file of this name says that a run has been scored
            file.write_text(text + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote. Raises UserError for a file that holds something else."""
        record = read_json(path, "The file of scores")
        try:
            scores = cls(
                iou={name: _share(value) for name, value in record["iou"].items()},
                mean={name: _share(value) for name, value in record["mean"].items()},
                pixel_share={name: float(record["pixel_share"][name]) for name in record["iou"]},
                pixel_accuracy=float(record["pixel_accuracy"]),
                confusion=_counts(record.get("confusion"), len(record["iou"])),
                calibration=Calibration.from_dict(kept) if (kept := record.get("calibration")) is not None else None,
            )
            if all(value is None for value in scores.iou.values()):
                raise ValueError("no class has a number")
            _share(scores.pixel_accuracy)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(
                f"{path} does not hold the scores of a run ({one_line(error)}): score its model again with "
                "pixda evaluate."
            ) from error
        return scores

    @classmethod
    def mean_of(cls, scores: Sequence[Self]) -> Self:
        """The mean of each number over the scores that have it, as of several folds; without counts of pixels."""
        first = scores[0]
        return cls(
            iou={name: Spread.of(one.iou[name] for one in scores).mean for name in first.iou},
            mean={name: Spread.of(one.mean[name] for one in scores).mean for name in first.mean},
            pixel_share={n: statistics.mean(one.pixel_share[n] for one in scores) for n in first.pixel_share},
            pixel_accuracy=statistics.mean(one.pixel_accuracy for one in scores),
        )

    @property
    def miou(self) -> float:
        """Mean IoU over all classes with ground truth, 0..1."""
        present = [value for value in self.iou.values() if value is not None]
        return sum(present) / len(present)


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of a number over the runs (folds, seeds) in which it exists."""

    mean: float | None
    """None where no run has it."""
    std: float | None
    """None where fewer than two runs have it."""
    count: int
    """Number of runs that have it."""

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Self:
        """Over the values that are there."""
        there = [value for value in values if value is not None]
        return cls(
            statistics.mean(there) if there else None,
            statistics.stdev(there) if len(there) > 1 else None,
            len(there),
        )


def _counts(value: Any, classes: int) -> list[list[int]] | None:
    if value is not None and ([len(row) for row in value] != [classes] * classes):
        raise ValueError("the confusion matrix is of other classes")
    return None if value is None else [[int(count) for count in row] for row in value]


def percent(value: float | None) -> str:
    """``0.4213`` -> ``42.1``; a class without ground truth has a dash."""
    return "–" if value is None else f"{100 * value:.1f}"


def _share(value: Any) -> float | None:
    if value is not None and not 0 <= float(value) <= 1:
        raise ValueError(f"{str(value)[:50]} is no number from 0 to 1")
    return None if value is None else float(value)


def _count_on_any_device(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Labelled pixels by (label, prediction), int64 ``C x C``; for GPUs."""
    valid = labels != IGNORE
    cells = labels[valid].to(torch.int32) * classes + predicted[valid].to(torch.int32)
    return torch.bincount(cells, minlength=classes * classes).view(classes, classes)


def _count_on_cpu(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """The same as ``_count_on_any_device``, many times as fast on a processor."""
    flat = (one.to(torch.uint8).flatten() for one in (labels, predicted))
    pieces = list(zip(*(torch.split(one, 2**20) for one in flat), strict=True))

    # OpenCV counts bytes many times as fast as a sum over 64-bit cells, in float32 (exact below 2^24 pixels) and on one
    # thread, beside which it lets others work.
    def counted(piece: tuple[Tensor, ...]) -> Tensor:
        planes = [one.numpy()[None] for one in piece]
        return torch.from_numpy(cv2.calcHist(planes, [0, 1], None, [classes] * 2, [0, classes] * 2)).long()

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return sum(threads.map(counted, pieces), torch.zeros(classes, classes, dtype=torch.int64))


def _mean(values: Tensor) -> float | None:
    mean = values.nanmean()
    return None if mean.isnan() else float(mean)
