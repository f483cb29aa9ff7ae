"""Whether the maps of a phase are large enough for its image critics."""

from typing import Literal

import torch

from pixda.errors import UserError
from pixda.models.critics import SMALLEST
from pixda.models.segmenter import Segmenter


@torch.no_grad()
def check_map_size(
    segmenter: Segmenter, size: tuple[int, int], critics_at: Literal["image", "logits"], option: str
) -> None:
    """Refuse images whose maps are too small for an image critic.

    Args:
        segmenter: whose logits are meant.
        size: (width, height) of the training images.
        critics_at: whether the critics see maps of that size, or of the logits' own.
        option: what a user sets that with, for the text.

    Raises:
        UserError: a side of the maps is too short.
    """
    width, height = size
    if critics_at == "logits":
        height, width = segmenter.eval()(torch.zeros(1, 3, height, width)).shape[-2:]
    if min(width, height) < SMALLEST:
        raise UserError(
            f"The image critic needs maps of {SMALLEST} x {SMALLEST} pixels or more and would "
            f"get {width} x {height}: train on larger images (--recipe.crop, --size), or set {option} image."
        )
