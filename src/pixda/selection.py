"""Sample selection: the source images that still look like the target to the image discriminator stay.

Tavera et al., WACV 2022, section 3.3, eq. 8. The paper writes "kept if D_g(x) < delta" and raises delta, which
would keep ever more. Read as the loss of eq. 7 on that image, kept when it *exceeds* delta, it keeps ever fewer,
as the paper says it does and as the released code computes: ``s(x) = mean over patches of -log P(source)``.

The paper names a selection of the top K beside its threshold and does not describe it: ``Top`` is our
reconstruction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Threshold:
    """Keep every image whose score exceeds ``delta`` (eq. 8)."""

    delta: float

    def keep(self, scores: Mapping[str, float]) -> list[str]:
        """The kept names, in the given order."""
        return [name for name, value in scores.items() if value > self.delta]

    def __str__(self) -> str:
        return f"score > {self.delta:g}"


@dataclass(frozen=True)
class Top:
    """Keep the images with the highest scores; of equal ones those whose names come first.

    ``top`` below 1 is a share of the images that are judged, rounded down, so that fewer stay every time; from 1
    on it is a number of images, and all stay where there are no more.
    """

    top: float

    def keep(self, scores: Mapping[str, float]) -> list[str]:
        """The kept names, in the given order."""
        # By the digits the user wrote: 0.29 of 100 images are 29, which floats would make 28.999...
        count = int(self.top if self.top >= 1 else Fraction(str(self.top)) * len(scores))
        best = set(sorted(scores, key=lambda name: (-scores[name], name))[:count])
        return [name for name in scores if name in best]

    def __str__(self) -> str:
        return f"the top {self.top:g}" if self.top >= 1 else f"the top {100 * self.top:g} %"


Rule = Threshold | Top


@dataclass(frozen=True)
class Selected:
    """The outcome of one selection.

    Attributes:
        epoch: the epoch that begins with what was kept (1 after the first pass over the source).
        rule: what was applied.
        scores: name -> mean of -log P(source) over the patches; >= 0, 0.693 for a discriminator at chance.
        kept: the names that stay, in the order given.
        source: which of several sources was judged; None where there is one.
    """

    epoch: int
    rule: Rule
    scores: dict[str, float]
    kept: list[str]
    source: str | None = None


def score(patch_logits: Tensor) -> Tensor:
    """Mean of ``-log P(source) = softplus(z)`` over an image's patches: ``B x 1 x h x w`` -> ``B``."""
    return F.softplus(patch_logits.float()).mean((1, 2, 3))


def threshold(first: float, growth: Literal["double", "add"], epoch: int) -> float:
    """The threshold of the selection that opens epoch 1, 2, …: 0.4, 0.8, 1.6 … or 0.4, 0.8, 1.2 …."""
    return first * 2 ** (epoch - 1) if growth == "double" else first * epoch
