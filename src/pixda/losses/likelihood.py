"""Each pixel's negative log-likelihood (NLL) and the softmax map, from one pass over the logits.

At an image's size a map of class scores is the largest thing in a step: 40 MB for 19 classes at 1024 x 512. These
functions go through it a few rows at a time, so that a processor finds them in its cache, keep no copy of it, and
write its gradient once. The values are those of ``log_softmax``, ``nll_loss`` and ``softmax``.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor

from pixda.data.classes import IGNORE

_CACHE = 2**21  # numbers in a few rows of scores: 8 MB in float32

Tile = tuple[slice, slice, slice]
"""Some rows of some images: an index into ``B x C x H x W``."""


def pixel_nll(scores: Tensor, labels: Tensor) -> Tensor:
    """``-log p_i[y_i]`` at each pixel, zero at ignored pixels.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities: their softmax is the same.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).

    Returns:
        Float ``B x H x W`` >= 0.
    """
    result: Tensor = _PixelNLL.apply(scores, labels)  # type: ignore[no-untyped-call]
    return result


def pixel_nll_and_softmax(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """``pixel_nll``, and beside it the softmax map ``B x C x H x W``, with one gradient for both."""
    found: tuple[Tensor, Tensor] = _PixelNLLAndSoftmax.apply(scores, labels)  # type: ignore[no-untyped-call]
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


Focus = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From each pixel's NLL and its label, ``b x h x w``, to its loss and the derivative of that by the NLL."""


def mean_over_labelled(scores: Tensor, labels: Tensor, focus: Focus) -> Tensor:
    """``1/|V| sum_{i in V} f(-log p_i[y_i])`` over the labelled pixels V; zero, with a gradient of zero, without any.

    Args:
        scores: float ``B x C x H x W``, logits or log-probabilities.
        labels: int64 ``B x H x W``, 0..C-1 or 255 (ignored).
        focus: f, zero where the NLL is zero.

    Returns:
        A scalar.
    """
    result: Tensor = _MeanOverLabelled.apply(scores, labels, focus)  # type: ignore[no-untyped-call]
    return result


def _tiles(scores: Tensor) -> Iterator[Tile]:
    """All of a map, in pieces that fit into a processor's cache; a GPU takes it at once."""
    batch, classes, height, width = scores.shape
    if scores.device.type != "cpu":
        yield slice(None), slice(None), slice(None)
        return
    rows = max(_CACHE // (classes * width), 1)
    for image in range(batch):
        for top in range(0, height, rows):
            yield slice(image, image + 1), slice(None), slice(top, top + rows)


def _in_labels(tile: Tile) -> tuple[slice, slice]:
    """The same place in ``B x H x W``."""
    return tile[0], tile[2]


class _PixelNLL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> Tensor:
        ctx.save_for_backward(scores, labels)
        result = torch.empty(labels.shape, dtype=scores.dtype, device=scores.device)
        for tile in _tiles(scores):
            some = scores[tile]
            result[_in_labels(tile)], _ = _nll(some, labels[_in_labels(tile)], torch.empty_like(some))
        return result

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        scores, labels = ctx.saved_tensors
        gradient = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for tile in _tiles(scores):
            piece = scores[tile].softmax(1)
            gradient[tile] = _minus_one_hot(piece, labels[_in_labels(tile)], slope[_in_labels(tile)])
        return gradient, None


class _PixelNLLAndSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        result = torch.empty(labels.shape, dtype=scores.dtype, device=scores.device)
        maps = torch.empty_like(scores, memory_format=torch.contiguous_format)
        for tile in _tiles(scores):
            result[_in_labels(tile)], total = _nll(scores[tile], labels[_in_labels(tile)], maps[tile])
            maps[tile].div_(total[:, None])
        ctx.save_for_backward(maps, labels)
        ctx.set_materialize_grads(False)
        return result, maps

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None, of_maps: Tensor | None) -> tuple[Tensor, None]:
        maps, labels = ctx.saved_tensors
        if slope is None:
            slope = torch.zeros(labels.shape, dtype=maps.dtype, device=maps.device)
        gradient = torch.empty_like(maps)
        for tile in _tiles(maps):
            piece, at = maps[tile], _in_labels(tile)
            if of_maps is None:
                gradient[tile] = _minus_one_hot(piece.clone(), labels[at], slope[at])
                continue
            # p (g - sum_c p g) of the map, and p - 1 of the NLL: one product with p for both.
            inner = of_maps[tile] * piece
            through = inner.sum(1, keepdim=True)
            rest = torch.addcmul(inner, piece, slope[at].masked_fill(labels[at] == IGNORE, 0)[:, None] - through)
            gradient[tile] = _take_slope(rest, labels[at], slope[at])
        return gradient, None


class _MeanOverLabelled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor, focus: Focus) -> Tensor:
        count = (labels != IGNORE).sum().clamp_min(1)
        gradient, parts = _gradient_of(scores, ctx), []
        for tile in _tiles(scores):
            some, at = scores[tile], _in_labels(tile)
            powers = torch.empty_like(some) if gradient is None else gradient[tile]
            nll, total = _nll(some, labels[at], powers)
            values, slopes = focus(nll, labels[at])
            parts.append(values.sum())
            if gradient is not None:
                _minus_one_hot(powers, labels[at], slopes.div_(count), total)
        return torch.stack(parts).sum() / count

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _sloped(ctx, slope), None, None


class _CrossEntropyOfMaps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        gradient, parts = _gradient_of(scores, ctx), []
        for tile in _tiles(scores):
            soft, log_probs = (teacher[tile] / temperature).softmax(1), scores[tile].log_softmax(1)
            parts.append((soft * log_probs).sum())
            if gradient is not None:
                torch.sub(log_probs.exp_(), soft, out=gradient[tile])
        return -torch.stack(parts).sum()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _sloped(ctx, slope), None, None


def _gradient_of(scores: Tensor, ctx: Any) -> Tensor | None:
    """Room for the gradient of a scalar, to be filled beside its value: the softmax is then taken once; None: unasked.

    It takes no more memory than the scores, which are not kept.
    """
    ctx.gradient = torch.empty_like(scores, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
    return cast("Tensor | None", ctx.gradient)


def _sloped(ctx: Any, slope: Tensor) -> Tensor:
    """That gradient times the slope of what came after the scalar, in place: there is room for one such map."""
    gradient: Tensor | None = ctx.gradient
    if gradient is None:
        raise RuntimeError("The gradient of this loss can be had once: its graph cannot be kept for a second time.")
    ctx.gradient = None
    return gradient.mul_(slope)


def _nll(scores: Tensor, labels: Tensor, powers: Tensor) -> tuple[Tensor, Tensor]:
    """Fill ``powers`` with ``e^(z - max z)``; return ``-log p[y]``, zero at ignored pixels, and the sum of the powers.

    One exponential for the likelihood and the map alike: the map is ``powers`` over their sum.
    """
    top, ignored = scores.amax(1, keepdim=True), labels == IGNORE
    total = torch.sub(scores, top, out=powers).exp_().sum(1)
    own = scores.gather(1, labels.masked_fill(ignored, 0)[:, None]).sub_(top)[:, 0]
    return total.log().sub_(own).masked_fill_(ignored, 0), total


def _minus_one_hot(powers: Tensor, labels: Tensor, slope: Tensor, total: Tensor | float = 1.0) -> Tensor:
    """``(p - 1[y]) slope`` in place of the powers of which ``p`` is the share; zero at ignored pixels."""
    ignored = labels == IGNORE
    slope = slope.masked_fill(ignored, 0)
    powers.mul_((slope / total)[:, None])
    return powers.scatter_add_(1, labels.masked_fill(ignored, 0)[:, None], slope.neg_()[:, None])


def _take_slope(values: Tensor, labels: Tensor, slope: Tensor) -> Tensor:
    """``values - 1[y] slope`` in place; as they are at ignored pixels."""
    ignored = labels == IGNORE
    minus = slope.masked_fill(ignored, 0).neg_()[:, None]
    return values.scatter_add_(1, labels.masked_fill(ignored, 0)[:, None], minus)
