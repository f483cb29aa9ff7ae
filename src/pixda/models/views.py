"""Test-time augmentation: a segmenter's predictions for smaller, larger and mirrored images are averaged."""

from collections.abc import Sequence

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
        segmenter: any.
        scales: factors of height and width; sides are rounded to whole pixels.
        flips: take the mirror image at every scale, too.
    """

    def __init__(self, segmenter: Segmenter, scales: Sequence[float], flips: bool) -> None:
        if not scales or not all(0.1 <= scale <= 4 for scale in scales):
            raise UserError(f"--scales is {list(scales)}: give one scale or more, each between 0.1 and 4.")
        super().__init__(segmenter, nn.Identity(), segmenter.classes, UNCHANGED)
        self.scales, self.flips = tuple(scales), flips

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> log-probabilities B x C x h x w, float32."""
        maps = []
        for scale in self.scales:
            view = _scaled(images, scale)
            maps.append(self.backbone(view).float().log_softmax(1))
            if self.flips:
                maps.append(self.backbone(view.flip(-1)).float().log_softmax(1).flip(-1))
        at_scale_1 = self.scales.index(1.0) * (1 + self.flips) if 1.0 in self.scales else 0
        size = maps[at_scale_1].shape[-2:]
        return log_of_mean([one if one.shape[-2:] == size else upsample(one, size) for one in maps])

    def features(self) -> nn.Module:
        """Those of the segmenter."""
        assert isinstance(self.backbone, Segmenter)
        return self.backbone.features()


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    height, width = (max(1, round(side * scale)) for side in images.shape[-2:])
    return F.interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=scale < 1)


def with_views(segmenter: Segmenter, scales: Sequence[float], flips: bool) -> Segmenter:
    """The segmenter with these views; the segmenter itself for the single view at scale 1."""
    return segmenter if list(scales) == [1.0] and not flips else SeveralViews(segmenter, scales, flips)
