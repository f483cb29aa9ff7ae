"""Sample selection: the source images that still look like the target to the image critic stay.

Tavera et al., WACV 2022, section 3.3, eq. 8. The paper writes "kept if D_g(x) < delta" and raises delta, which
would keep ever more. Read as the loss of eq. 7 on that image, kept when it *exceeds* delta, it keeps ever fewer,
as the paper says it does and as the released code computes: ``s(x) = mean over patches of -log P(source)``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Selected:
    """The outcome of one selection.

    Attributes:
        epoch: the epoch that begins with what was kept (1 after the first pass over the source).
        delta: the threshold applied.
        scores: name -> mean of -log P(source) over the patches; >= 0, 0.693 for a critic at chance.
        kept: the names that stay, in the order given.
    """

    epoch: int
    delta: float
    scores: dict[str, float]
    kept: list[str]


def score(patch_logits: Tensor) -> Tensor:
    """Mean of ``-log P(source) = softplus(z)`` over an image's patches: ``B x 1 x h x w`` -> ``B``."""
    return F.softplus(patch_logits.float()).mean((1, 2, 3))


def threshold(first: float, growth: Literal["double", "add"], epoch: int) -> float:
    """The threshold of the selection that opens epoch 1, 2, …: 0.4, 0.8, 1.6 … or 0.4, 0.8, 1.2 …."""
    return first * 2 ** (epoch - 1) if growth == "double" else first * epoch


def select(epoch: int, delta: float, scored: Iterator[tuple[Sequence[str], Tensor]]) -> Selected:
    """Keep every image whose score exceeds ``delta``.

    Args:
        epoch: the epoch that will begin with the kept images.
        delta: the threshold.
        scored: batches of names and their scores ``B``; every image once, the last short batch too.
    """
    scores: dict[str, float] = {}
    for names, values in scored:
        scores.update(zip(names, values.tolist(), strict=True))
    return Selected(epoch, delta, scores, [name for name, value in scores.items() if value > delta])
