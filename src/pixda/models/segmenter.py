"""The contract of every network that segments: plain RGB in, logits at its own stride out."""

import copy
from typing import Any, NamedTuple

from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.normalise import Normalise, Scale
from pixda.models.recompute import Block, NormsAgain


class Middle(NamedTuple):
    """Features half-way through a network, for a second head."""

    layer: nn.Module
    """Its output is B x channels x h x w, at the network's own stride."""
    channels: int
    dilations: tuple[int, ...]
    """Of the second head's convolutions, fit for that stride."""


class Segmenter(nn.Module):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w, C = len(classes.names).

    h and w are the network's own (1/4 or 1/8 of the image, say): whoever compares with a mask or hands
    the map to a discriminator upsamples it, bilinearly. The normalisation is inside, since the weights know what
    they were trained on. Networks of another build may subclass this and replace `forward`, as long as
    they keep `backbone` (pretrained) and `head` (new) apart and honour these shapes.
    """

    at_a_time: int | None = None
    """Images that go through it at a time in training; None: the whole batch."""

    def __init__(self, backbone: nn.Module, head: nn.Module, classes: ClassSet, normalisation: str | Scale) -> None:
        super().__init__()
        self.classes = classes
        self.normalise = Normalise(normalisation)
        self.backbone = backbone
        self.head = head
        self.recipe: dict[str, Any] = {}
        self.origin = "random weights"
        """What the first weights are: a word, or a report of what was loaded."""

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w."""
        logits: Tensor = self.head(self.backbone(self.normalise(images)))
        return logits

    def middle(self) -> Middle | None:
        """Where a second head may learn in training; None: the network names no such layer."""
        return None

    def features(self) -> nn.Module:
        """The part whose output, B x F x h x w or a list that ends with it, describes an image."""
        return self.backbone

    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Raise UserError if the network cannot learn from `batch` images of `crop`, or judge one of `whole`.

        Both are (width, height). Networks of convolutions alone take any.
        """

    def blocks(self) -> list[Block]:
        """The stretches of it that can be computed again."""
        return [part for part in self.modules() if isinstance(part, Block)]

    def recompute_blocks(self) -> None:
        """From now on compute the features of every block again in the backward pass, to the last bit the same.

        `UserError` for a network that is not made of such blocks.
        """
        blocks = self.blocks()
        if not blocks:
            raise UserError(
                "This network has no blocks that can be computed again (deeplab_resnet101, deeplab_resnet50 and "
                "mobile_deeplab and efficientnet_lite0 to 2 have): leave --machine.recompute_blocks out."
            )
        for block in blocks:
            block.recompute = True

    def keep_norms(self) -> None:
        """From now on keep the maps around batch norms for the backward pass: what a GPU should do."""
        for part in self.modules():
            if isinstance(part, NormsAgain):
                part.keep_norms = True

    def parameter_groups(self, lr: float, head_lr_factor: float) -> list[dict[str, Any]]:
        """Two optimiser groups, `backbone` at `lr` and `head` at `lr * head_lr_factor`.

        Every trainable parameter is in exactly one of them; frozen ones are in neither.
        """
        trainable = {name: p for name, p in self.named_parameters() if p.requires_grad}
        pretrained = [p for name, p in trainable.items() if name.startswith("backbone.")]
        new = [p for name, p in trainable.items() if not name.startswith("backbone.")]
        return [
            {"name": "backbone", "params": pretrained, "lr": lr},
            {"name": "head", "params": new, "lr": lr * head_lr_factor},
        ]

    def spec(self) -> dict[str, Any]:
        """JSON-able name and options: `build_segmenter(**spec, classes=...)` is this network, untrained.

        `UserError` for a network that `build_segmenter` did not make.
        """
        if not self.recipe:
            raise UserError("This segmenter was put together by hand: make it with build_segmenter to save it.")
        return copy.deepcopy(self.recipe)
