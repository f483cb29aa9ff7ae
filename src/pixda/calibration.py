"""Calibration: is a network that is 80 % confident right on 80 % of the pixels, and which temperature mends it?

Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

BINS = 15
"""Equal bins of the confidence, as in the paper's experiments."""
_STEPS_OF_CONFIDENCE = 2**20
_PIECE = 2**18
"""Pixels counted at once: the float64 copies of a whole large image would take tens of megabytes."""
COLDEST, HOTTEST = 0.05, 20.0
"""Limits of a fitted temperature."""


@dataclass(frozen=True)
class Calibration:
    """Labelled pixels by the confidence of their prediction, the softmax of the predicted class.

    Bin m of M = 15 holds the confidences in ((m - 1) / M, m / M]. Each list has a number for each bin.

    Attributes:
        count: pixels.
        confidence: sum of their confidences.
        hits: pixels that are predicted right.
    """

    count: list[int]
    confidence: list[float]
    hits: list[int]

    @classmethod
    def of(cls, sums: Tensor) -> Self:
        """From what ``binned`` gives."""
        count, confidence, hits = sums.tolist()
        return cls([int(number) for number in count], confidence, [int(number) for number in hits])

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """From the JSON of the scores. Raises ValueError, KeyError or TypeError for other values."""
        count, hits = ([int(number) for number in record[name]] for name in ("count", "hits"))
        confidence = [float(number) for number in record["confidence"]]
        if not len(count) == len(confidence) == len(hits) == BINS or sum(count) < 1:
            raise ValueError(f"the calibration does not have pixels in {BINS} bins")
        for pixels, sure, right in zip(count, confidence, hits, strict=True):
            if not (0 <= right <= pixels and 0 <= sure <= pixels):
                raise ValueError("a bin of the calibration has more hits or confidence than pixels")
        return cls(count, confidence, hits)

    @property
    def ece(self) -> float:
        """Expected calibration error, 0..1 (Guo et al., equation 3).

        ``ECE = sum over m of n_m / n * |acc(m) - conf(m)|``, with ``n_m`` the pixels in bin m, ``acc`` the share of
        them that is predicted right, and ``conf`` the mean of their confidences. The networks there see one label for
        each image; here every labelled pixel counts as one.
        """
        gaps = [abs(right - sure) for right, sure in zip(self.hits, self.confidence, strict=True)]
        return sum(gaps) / sum(self.count)


def binned(confidence: Tensor, hits: Tensor) -> Tensor:
    """Count pixels by confidence.

    Args:
        confidence: float, 0..1, of the labelled pixels, in any shape.
        hits: bool, the same shape, whether the prediction is right.

    Returns:
        float64 ``3 x 15``: pixels, sum of their confidences, and hits of each bin. Confidences are rounded to 2^-20
        first, which makes their sums exact: they are the same in whatever order frames and processes are added.
    """
    sums = torch.zeros(3, BINS, dtype=torch.float64, device=confidence.device)
    pieces = zip(*(torch.split(one.flatten(), _PIECE) for one in (confidence, hits)), strict=True)
    for sure, right in pieces:
        bins = (sure * BINS).ceil().long().sub_(1).clamp_(0, BINS - 1)
        rounded = (sure.double() * _STEPS_OF_CONFIDENCE).round() / _STEPS_OF_CONFIDENCE
        for row, weights in zip(sums, (torch.ones_like(rounded), rounded, right.double()), strict=True):
            row += torch.bincount(bins, weights, BINS)
    return sums


def calibration_of(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Calibration:
    """The calibration of ``softmax(logits / temperature)``.

    Args:
        logits: float ``N x C``.
        labels: class indices, ``N``; each below C.
        temperature: above 0.
    """
    confidence, classes = (logits / temperature).softmax(1).max(1)
    return Calibration.of(binned(confidence, classes == labels))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature ``T > 0`` for which the labels are likeliest under ``softmax(logits / T)`` (Guo et al., 4.2).

    It minimises the negative log-likelihood ``mean of logsumexp(z / T) - z_y / T`` of logits z with label y. In
    ``b = 1 / T`` that is convex, with the derivative ``mean of sum over c of softmax(b z)_c z_c - z_y``, whose zero is
    found by halving an interval of log T. The temperature is between 0.05 and 20; it is one of these where the
    likelihood still grows there, as where all predictions are right.

    Args:
        logits: float ``N x C``, N above 0.
        labels: class indices, ``N``; each below C.
    """
    exact = logits.double()
    own = exact.gather(1, labels.long()[:, None])[:, 0].mean()
    low, high = torch.tensor([COLDEST, HOTTEST], dtype=torch.float64).log()
    for _ in range(40):  # to 12 digits
        middle = (low + high) / 2
        expected = ((exact / middle.exp()).softmax(1) * exact).sum(1).mean()
        # Too cold: the softmax expects higher logits than the labels have.
        low, high = (middle, high) if expected > own else (low, middle)
    return float(((low + high) / 2).exp())
