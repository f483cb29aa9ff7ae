"""Several segmenters that answer as one."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter

UNCHANGED = Scale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), bgr=False)


def log_of_mean(log_probs: Sequence[Tensor]) -> Tensor:
    """The log of the mean probabilities, of log-probabilities of the same shape."""
    return torch.stack([*log_probs]).logsumexp(0) - math.log(len(log_probs))


class Ensemble(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> B x C x h x w, the log of the mean of the members' softmax maps.

    The softmax of this output is that mean, so it can be used as logits like any segmenter's. When it is upsampled,
    these logs are interpolated; FDA's released code interpolates the mean probabilities instead.

    `backbone` holds the members, each with its own normalisation and head; the ensemble has no head of its own.

    members: one or more segmenters with the same class set and stride.
    """

    def __init__(self, members: Sequence[Segmenter]) -> None:
        if not members:
            raise UserError("An ensemble needs members: give their networks, as in {members: [{architecture: tiny}]}.")
        super().__init__(nn.ModuleList(members), nn.Identity(), members[0].classes, UNCHANGED)

    @property
    def members(self) -> list[Segmenter]:
        """The segmenters, in order."""
        return [member for member in self.backbone.children() if isinstance(member, Segmenter)]

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> log-probabilities B x C x h x w, float32."""
        return log_of_mean([member(images).float().log_softmax(1) for member in self.members])

    def features(self) -> nn.Module:
        """The first member's, which are enough to compare images."""
        return self.members[0].features()

    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Check the first member, since all are of one kind."""
        self.members[0].check(crop, whole, batch)

    def parameter_groups(self, lr: float, head_lr_factor: float) -> list[dict[str, Any]]:
        """Two optimiser groups: the backbones of all members, and their heads."""
        backbones, heads = zip(*(member.parameter_groups(lr, head_lr_factor) for member in self.members), strict=True)
        return [group[0] | {"params": [p for one in group for p in one["params"]]} for group in (backbones, heads)]

    def spec(self) -> dict[str, Any]:
        """The members' specs, as `build_segmenter` takes them."""
        return {"architecture": "ensemble", "members": [member.spec() for member in self.members]}
