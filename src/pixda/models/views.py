"""Test-time augmentation: one segmenter looks at an image several times, smaller, larger and mirrored."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.ensemble import AS_IT_IS
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample


class SeveralViews(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> B x C x h x w, the log of the mean of the softmax maps of all views.

    ``h x w`` is the size of the logits at scale 1. The softmax of the answer is the mean of the views' softmax, so
    whoever takes it for logits, as every caller does, gets the averaged probabilities.

    Args:
        segmenter: any.
        scales: factors of height and width, each side rounded to a pixel.
        flips: look at the mirror image, too, at every scale.
    """

    def __init__(self, segmenter: Segmenter, scales: Sequence[float], flips: bool) -> None:
        if not scales or not all(0.1 <= scale <= 4 for scale in scales):
            raise UserError(f"--scales is {list(scales)}: give one scale or more, each between 0.1 and 4.")
        super().__init__(segmenter, nn.Identity(), segmenter.classes, AS_IT_IS)
        self.scales, self.flips = tuple(scales), flips

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> log-probabilities B x C x h x w, float32."""
        height, width = images.shape[-2:]
        maps = []
        for scale in self.scales:
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            shown = (
                images
                if scale == 1
                else F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=scale < 1)
            )
            maps.append(self.backbone(shown).float().log_softmax(1))
            if self.flips:
                maps.append(self.backbone(shown.flip(-1)).float().log_softmax(1).flip(-1))
        stride = self.scales.index(1.0) * (1 + self.flips) if 1.0 in self.scales else 0
        sized = [one if one.shape == maps[stride].shape else upsample(one, maps[stride].shape[-2:]) for one in maps]
        return torch.stack(sized).logsumexp(0) - math.log(len(maps))

    def features(self) -> nn.Module:
        """The segmenter's own."""
        assert isinstance(self.backbone, Segmenter)
        return self.backbone.features()


def with_views(segmenter: Segmenter, scales: Sequence[float], flips: bool) -> Segmenter:
    """The segmenter as it is, where one view at scale 1 is asked for; else with all views."""
    return segmenter if list(scales) == [1.0] and not flips else SeveralViews(segmenter, scales, flips)
