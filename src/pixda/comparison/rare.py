"""Which classes are rare: said once, for every table."""

from collections.abc import Mapping

RARE_SHARE = 0.01
"""A class with less than this share of the labelled training pixels is rare.

Few-shot papers speak of rare classes without a list. One percent is where the 19 classes of Cityscapes part into
stuff and frequent things on one side (the least of them are terrain, person and pole, 1.2 % each) and, on the other,
the ten that baselines fail on: wall, fence, traffic light, traffic sign, rider, truck, bus, train, motorcycle, bicycle.
"""


def rare_classes(shares: Mapping[str, float], limit: float = RARE_SHARE) -> tuple[str, ...]:
    """The classes that exist and have less than ``limit`` of the pixels, in the order of ``shares``.

    Args:
        shares: class -> share of the labelled pixels of the target's whole *training* set, 0..1. Never of the shots,
            which differ between runs, and never of the test set.
        limit: 0..1; a class right at the limit is not rare, one without any pixel is absent and not rare either.
    """
    return tuple(name for name, share in shares.items() if 0 < share < limit)
