"""A segmenter with a second head on its middle layer, for training only."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.deeplab import DilatedSum
from pixda.models.segmenter import Middle, Segmenter

WITH_MIDDLE = (
    *("deeplab_resnet50", "deeplab_resnet101", "mobile_deeplab"),
    *("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "tiny"),
)
"""The architectures that have a middle layer."""


class TwoLogits(NamedTuple):
    """The logits of both heads, each at its own stride: B x C x h x w."""

    main: Tensor
    auxiliary: Tensor


class TwoHeads(nn.Module):
    """RGB float B x 3 x H x W in 0..255 -> logits of the main head and of an auxiliary one.

    The auxiliary head is a sum of dilated convolutions, as in AdaptSegNet (Tsai et al., CVPR 2018), on the layer that
    `Segmenter.middle` names. It starts at random. After training only the segmenter is kept.

    segmenter: one with a middle layer (`UserError` otherwise).
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        middle = middle_of(segmenter)
        self.segmenter = segmenter
        self.auxiliary = DilatedSum(middle.channels, len(segmenter.classes.names), middle.dilations)

    def forward(self, images: Tensor) -> TwoLogits:
        """RGB float B x 3 x H x W in 0..255 -> B x C x h x w of each head."""
        # A hook takes the middle features from the segmenter's own forward pass.
        features: list[Tensor] = []
        tap = middle_of(self.segmenter).layer.register_forward_hook(lambda *call: features.append(call[-1]))
        try:
            main: Tensor = self.segmenter(images)
        finally:
            tap.remove()
        return TwoLogits(main, self.auxiliary(features[0]))

    def parameter_groups(self, lr: float, head_lr_factor: float) -> list[dict[str, Any]]:
        """The segmenter's groups; the auxiliary head learns at the head's rate."""
        backbone, head = self.segmenter.parameter_groups(lr, head_lr_factor)
        return [backbone, head | {"params": [*head["params"], *self.auxiliary.parameters()]}]


def middle_of(segmenter: Segmenter) -> Middle:
    """The layer for a second head; `UserError` if the network has none."""
    middle = segmenter.middle()
    if middle is None:
        raise UserError(
            "This method needs a second head on a layer half-way through the network, and this network has none: "
            f"choose --network.architecture {', '.join(WITH_MIDDLE[:-1])} or {WITH_MIDDLE[-1]}, or another --method."
        )
    return middle
