"""Several segmenters that answer as one."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter

AS_IT_IS = Scale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), bgr=False)


class Ensemble(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> B x C x h x w, the log of the mean of the members' softmax maps.

    All members weigh the same. The softmax of the answer is the mean of theirs, so whoever takes it for logits, as
    every caller does, gets the ensemble's probabilities. At other sizes than the members' own it is these logs that
    are interpolated; FDA's released code interpolates the mean probabilities.

    `backbone` holds the members whole, each with its normalisation; there is no head beside theirs.

    members: segmenters of one class set and one stride; `UserError` where there is none.
    """

    def __init__(self, members: Sequence[Segmenter]) -> None:
        if not members:
            raise UserError("An ensemble needs members: give their networks, as in {members: [{architecture: tiny}]}.")
        super().__init__(nn.ModuleList(members), nn.Identity(), members[0].classes, AS_IT_IS)

    @property
    def members(self) -> list[Segmenter]:
        """The segmenters, in order."""
        return [member for member in self.backbone.children() if isinstance(member, Segmenter)]

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> log-probabilities B x C x h x w, float32."""
        members = self.members
        log_probs = torch.stack([member(images).float().log_softmax(1) for member in members])
        return log_probs.logsumexp(0) - math.log(len(members))

    def features(self) -> nn.Module:
        """The first member's: one description of an image is enough to compare it with others."""
        return self.members[0].features()

    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Raise the first member's UserError: they are of one kind."""
        self.members[0].check(crop, whole, batch)

    def parameter_groups(self, lr: float, head_lr_factor: float) -> list[dict[str, Any]]:
        """Two optimiser groups, of all members' backbones and of all members' heads."""
        backbones, heads = zip(*(member.parameter_groups(lr, head_lr_factor) for member in self.members), strict=True)
        return [group[0] | {"params": [p for one in group for p in one["params"]]} for group in (backbones, heads)]

    def spec(self) -> dict[str, Any]:
        """The members' specs, under the name that `build_segmenter` knows."""
        return {"architecture": "ensemble", "members": [member.spec() for member in self.members]}
