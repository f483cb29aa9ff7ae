"""ADVENT: Vu et al., *Adversarial Entropy Minimization for Domain Adaptation in Semantic Segmentation*, CVPR 2019."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pixda.methods.adaptsegnet import AdaptSegNet


@dataclass(frozen=True)
class Advent(AdaptSegNet):
    """AdaptSegNet on self-information maps: pretrain on the source, then align them in two heads, image-wise.

    The defaults are those of the released code. It stops at 120 000 steps, for SYNTHIA at 90 000.
    """

    title = "ADVENT"

    maps: ClassVar[Literal["softmax", "self_information"]] = "self_information"
    """What the discriminators see."""

    steps: int = 120_000
    """Optimiser steps after pretraining."""
