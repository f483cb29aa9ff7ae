"""The likelihood of labels and the softmax map, from one pass over the logits.

At an image's size a map of class scores is the largest thing in a step: 40 MB for 19 classes at 1024 x 512. These
functions go through it a few rows at a time, so that a processor finds them in its cache, keep no copy of it, and
write its gradient once. The values are those of ``log_softmax``, ``nll_loss`` and ``softmax``.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.data.classes import IGNORE

_CACHE = 2**18  # numbers in a few rows of scores: 1 MB in float32, half of a core's cache

Place = tuple[slice, slice, slice]
"""Some rows of some images: an index into ``B x C x H x W``."""


def surprise(scores: Tensor, labels: Tensor) -> Tensor:
    """``-log p_i[y_i]`` at each pixel, zero at ignored pixels.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities: their softmax is the same.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        Float ``B x H x W`` >= 0.
    """
    result: Tensor = _Surprise.apply(scores, labels)  # type: ignore[no-untyped-call]
    return result


def surprise_and_map(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`surprise`, and beside it the softmax map ``B x C x H x W``, with one gradient for both."""
    found: tuple[Tensor, Tensor] = _SurpriseAndMap.apply(scores, labels)  # type: ignore[no-untyped-call]
    return found


def cross_entropy_of_maps(scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """``-sum_i sum_c q_i[c] log p_i[c]`` over all pixels, with p of ``scores`` and q the softmax of ``teacher / tau``.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        teacher: float of the same shape, logits; no gradient flows to it.
        temperature: tau > 0.

    Returns:
        A scalar >= 0.
    """
    result: Tensor = _CrossEntropyOfMaps.apply(scores, teacher, temperature)  # type: ignore[no-untyped-call]
    return result


def _places(scores: Tensor) -> Iterator[Place]:
    """All of a map, in pieces that fit into a processor's cache; a GPU takes it at once."""
    batch, classes, height, width = scores.shape
    if scores.device.type != "cpu":
        yield slice(None), slice(None), slice(None)
        return
    rows = max(_CACHE // (classes * width), 1)
    for image in range(batch):
        for top in range(0, height, rows):
            yield slice(image, image + 1), slice(None), slice(top, top + rows)


def _at(place: Place) -> tuple[slice, slice]:
    """The same place in ``B x H x W``."""
    return place[0], place[2]


class _Surprise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> Tensor:
        ctx.save_for_backward(scores, labels)
        result = torch.empty(labels.shape, dtype=scores.dtype, device=scores.device)
        for place in _places(scores):
            result[_at(place)] = _nll(scores[place].log_softmax(1), labels[_at(place)])
        return result

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        scores, labels = ctx.saved_tensors
        gradient = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for place in _places(scores):
            piece = scores[place].softmax(1)
            gradient[place] = _minus_one_hot(piece, labels[_at(place)], slope[_at(place)])
        return gradient, None


class _SurpriseAndMap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        result = torch.empty(labels.shape, dtype=scores.dtype, device=scores.device)
        maps = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for place in _places(scores):
            log_probs = scores[place].log_softmax(1)
            result[_at(place)] = _nll(log_probs, labels[_at(place)])
            maps[place] = log_probs.exp_()
        ctx.save_for_backward(maps, labels)
        ctx.set_materialize_grads(False)
        return result, maps

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None, of_maps: Tensor | None) -> tuple[Tensor, None]:
        maps, labels = ctx.saved_tensors
        if slope is None:
            slope = torch.zeros(labels.shape, dtype=maps.dtype, device=maps.device)
        gradient = torch.empty_like(maps)
        for place in _places(maps):
            piece, at = maps[place], _at(place)
            if of_maps is None:
                gradient[place] = _minus_one_hot(piece.clone(), labels[at], slope[at])
                continue
            # p (g - sum_c p g) of the map, and p - 1 of the surprise: one product with p for both.
            inner = of_maps[place] * piece
            through = inner.sum(1, keepdim=True)
            rest = torch.addcmul(inner, piece, slope[at].masked_fill(labels[at] == IGNORE, 0)[:, None] - through)
            gradient[place] = _take_slope(rest, labels[at], slope[at])
        return gradient, None


class _CrossEntropyOfMaps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        ctx.save_for_backward(scores, teacher)
        ctx.temperature = temperature
        parts = [
            (teacher[place] / temperature).softmax(1).mul_(scores[place].log_softmax(1)).sum()
            for place in _places(scores)
        ]
        return -torch.stack(parts).sum()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        scores, teacher = ctx.saved_tensors
        gradient = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for place in _places(scores):
            soft = (teacher[place] / ctx.temperature).softmax(1)
            gradient[place] = scores[place].softmax(1).sub_(soft).mul_(slope)
        return gradient, None, None


def _nll(log_probs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(log_probs, labels, ignore_index=IGNORE, reduction="none")


def _minus_one_hot(probs: Tensor, labels: Tensor, slope: Tensor) -> Tensor:
    """``(p - 1[y]) slope`` in place of ``p``; zero at ignored pixels."""
    return _take_slope(probs.mul_(slope.masked_fill(labels == IGNORE, 0)[:, None]), labels, slope)


def _take_slope(values: Tensor, labels: Tensor, slope: Tensor) -> Tensor:
    """``values - 1[y] slope`` in place; as they are at ignored pixels."""
    valid = labels != IGNORE
    minus = (slope * valid).neg_()[:, None]
    return values.scatter_add_(1, labels.masked_fill(~valid, 0)[:, None], minus)
