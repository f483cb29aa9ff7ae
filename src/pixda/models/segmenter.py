"""What every segmenter promises: RGB images in, logits at its own stride out. And the smallest one."""

import copy
from typing import Any, NamedTuple

from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.normalise import Normalise, Scale
from pixda.models.recompute import Block, RecomputedNorms


class Middle(NamedTuple):
    """The layer half-way through a network from which a second head predicts in training."""

    layer: nn.Module
    """Its output is B x channels x h x w."""
    channels: int
    dilations: tuple[int, ...]
    """Dilations of the second head's convolutions, suited to the layer's stride."""


class Segmenter(nn.Module):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w, C = len(classes.names).

    h and w are the network's own, 1/4 or 1/8 of the image, say: code that compares the logits with a mask or hands
    them to a discriminator upsamples them first. The normalisation is inside, since it belongs to the weights. A
    subclass may replace `forward`, as long as it keeps `backbone` (pretrained) and `head` (new) apart and these shapes.
    """

    at_a_time: int | None = None
    """Images that go through the network at a time in training; None: the whole batch."""

    def __init__(self, backbone: nn.Module, head: nn.Module, classes: ClassSet, normalisation: str | Scale) -> None:
        super().__init__()
        self.classes = classes
        self.normalise = Normalise(normalisation)
        self.backbone = backbone
        self.head = head
        self.recipe: dict[str, Any] = {}
        """Name and options with which `build_segmenter` builds this network."""
        self.origin = "random weights"
        """Where the first weights are from: a word, or a report of what was loaded."""

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w."""
        logits: Tensor = self.head(self.backbone(self.normalise(images)))
        return logits

    def middle(self) -> Middle | None:
        """The layer for a second head in training; None if the network has none."""
        return None

    def features(self) -> nn.Module:
        """The part whose output describes an image: B x F x h x w, or a list that ends with such features."""
        return self.backbone

    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Raise UserError if the network cannot learn from `batch` images of `crop`, or judge one of `whole`.

        Both sizes are (width, height). Networks of convolutions alone take any size.
        """

    def blocks(self) -> list[Block]:
        """The parts whose features can be computed again in the backward pass."""
        return [part for part in self.modules() if isinstance(part, Block)]

    def recompute_blocks(self) -> None:
        """From now on compute the features of every block again in the backward pass instead of keeping them.

        The gradients are the same to the last bit. `UserError` for a network without such blocks.
        """
        blocks = self.blocks()
        if not blocks:
            raise UserError(
                "This network has no blocks that can be computed again (deeplab_resnet50, deeplab_resnet101, "
                "mobile_deeplab and efficientnet_lite0 to 2 have): leave --machine.recompute_blocks out."
            )
        for block in blocks:
            block.recompute = True

    def keep_norms(self) -> None:
        """From now on keep the maps around batch norms for the backward pass, which is faster on a GPU."""
        for part in self.modules():
            if isinstance(part, RecomputedNorms):
                part.keep_norms = True

    def parameter_groups(self, lr: float, head_lr_factor: float) -> list[dict[str, Any]]:
        """Two optimiser groups, `backbone` at `lr` and `head` at `lr * head_lr_factor`.

        Every trainable parameter is in exactly one of them; frozen ones are in neither.
        """
        trainable = {name: p for name, p in self.named_parameters() if p.requires_grad}
        new = {name: p for name, p in trainable.items() if self._is_new(name)}
        return [
            {"name": "backbone", "params": [p for name, p in trainable.items() if name not in new], "lr": lr},
            {"name": "head", "params": list(new.values()), "lr": lr * head_lr_factor},
        ]

    def _is_new(self, name: str) -> bool:
        """Whether the parameter of this name learns at the head's rate."""
        return not name.startswith("backbone.")

    def spec(self) -> dict[str, Any]:
        """Name and options, as JSON values: `build_segmenter(**spec, classes=...)` is this network, untrained.

        `UserError` for a network that `build_segmenter` did not make.
        """
        if not self.recipe:
            raise UserError("This segmenter was put together by hand: make it with build_segmenter to save it.")
        return copy.deepcopy(self.recipe)


class Tiny(Segmenter):
    """The smallest segmenter, for tests and for trying commands: B x 3 x H x W -> logits B x C x H/4 x W/4."""

    def __init__(self, classes: ClassSet) -> None:
        backbone = nn.Sequential(nn.Conv2d(3, 16, 3, stride=4, padding=1), nn.ReLU(inplace=True))
        super().__init__(backbone, nn.Conv2d(16, len(classes.names), 1), classes, "symmetric")

    def middle(self) -> Middle:
        """Its only features."""
        return Middle(self.backbone, 16, (1,))
