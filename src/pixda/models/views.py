"""Test-time augmentation: a segmenter's predictions for smaller, larger and mirrored images are averaged."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.ensemble import UNCHANGED, log_of_mean
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample


class SeveralViews(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> B x C x h x w, the log of the mean of the softmax maps of all views.

    ``h x w`` is the size of the logits at scale 1, or at the first scale if 1 is not among them. The softmax of the
    output is the mean of the views', so it can be used as logits like any segmenter's.

    Args:
        scales: factors of height and width; sides are rounded up to whole pixels.
        flips: take the mirror image at every scale, too.
    """

    def __init__(self, segmenter: Segmenter, scales: Sequence[float], flips: bool) -> None:
        check_scales(scales)
        super().__init__(segmenter, nn.Identity(), segmenter.classes, UNCHANGED)
        self.scales, self.flips = tuple(scales), flips

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> log-probabilities B x C x h x w, float32."""
        # By scale and not by size: an exported file keeps one path, whatever the sizes that it was traced with.
        reference = 1.0 if 1.0 in self.scales else self.scales[0]
        by_scale = {scale: self._maps(_scaled(images, scale)) for scale in self.scales}
        size = by_scale[reference][0].shape[-2:]
        return log_of_mean(
            [one if scale == reference else upsample(one, size) for scale in self.scales for one in by_scale[scale]]
        )

    def _maps(self, view: Tensor) -> list[Tensor]:
        """Log-probabilities of a view, and those of its mirror image turned back."""
        views = [view, view.flip(-1)] if self.flips else [view]
        maps = [self.backbone(one).float().log_softmax(1) for one in views]
        return [maps[0], *(one.flip(-1) for one in maps[1:])]

    def features(self) -> nn.Module:
        """Those of the segmenter."""
        assert isinstance(self.backbone, Segmenter)
        return self.backbone.features()


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    height, width = (_scaled_side(side, scale) for side in images.shape[-2:])
    if scale < 1 and torch.onnx.is_in_onnx_export():
        # ONNX has no antialiased resizing before opset 18; the same weights as matrices are exact.
        down = _antialiased(images.shape[-2], height) @ images
        return down @ _antialiased(images.shape[-1], width).t()
    return F.interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=scale < 1)


def _scaled_side(side: int, scale: float) -> int:
    """``side * scale`` in whole pixels, rounded up; in whole numbers, which exported programs can keep."""
    exact = Fraction(str(scale))
    return (side * exact.numerator + exact.denominator - 1) // exact.denominator


def _antialiased(length: Any, shorter: Any) -> Tensor:
    """Weights with which `F.interpolate(..., antialias=True)` makes `shorter` pixels of `length`: a matrix."""
    step = length / shorter
    centres = (torch.arange(shorter) + 0.5) * step
    weights = (1 - (centres[:, None] - torch.arange(length) - 0.5).abs() / step).clamp_min(0)
    normalised: Tensor = weights / weights.sum(1, keepdim=True)
    return normalised


def check_scales(scales: Sequence[float]) -> None:
    """Raise UserError for scales that no image is looked at."""
    if not scales or not all(0.1 <= scale <= 4 for scale in scales):
        raise UserError(f"--scales is {list(scales)}: give one scale or more, each between 0.1 and 4.")


def with_views(segmenter: Segmenter, scales: Sequence[float], flips: bool) -> Segmenter:
    """The segmenter with these views; the segmenter itself for the single view at scale 1."""
    return segmenter if list(scales) == [1.0] and not flips else SeveralViews(segmenter, scales, flips)
