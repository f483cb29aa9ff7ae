"""The small segmenter: MobileNet-v2, DeepLab-v2's context at stride 16, two skips up to stride 4."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.models.deeplab import DilatedSum
from pixda.models.mobilenet import MIDDLE_BLOCK, MIDDLE_CHANNELS, MobileNetV2
from pixda.models.segmenter import Middle, Segmenter


class Fuse(nn.Module):
    """Coarse features, upsampled, plus projected finer ones, mixed by a 3x3 convolution and a ReLU."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(fine, coarse, 1)
        self.mix = nn.Conv2d(coarse, outputs, 3, padding=1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """B x coarse x h x w and B x fine x H x W -> B x outputs x H x W."""
        raised = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        mixed: Tensor = self.mix(raised + self.project(fine))
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
        # The features are large numbers; a small classifier starts from about even odds all the same.
        nn.init.normal_(self.classifier.weight, 0.0, 0.01)
        for module in self.modules():
            if isinstance(module, Fuse):
                nn.init.kaiming_normal_(module.mix.weight, nonlinearity="relu")

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """B x c x H/4 x W/4, B x c x H/8 x W/8, B x c x H/16 x W/16 -> B x outputs x H/4 x W/4."""
        quarter, eighth, sixteenth = features
        x = F.relu(self.context(sixteenth))
        logits: Tensor = self.classifier(self.quarter(self.eighth(x, eighth), quarter))
        return logits


class MobileDeepLab(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/4 x W/4 (60 x 80 for 240 x 320)."""

    backbone: MobileNetV2
    head: SkipHead

    def __init__(self, backbone: MobileNetV2, head: SkipHead, classes: ClassSet, normalisation: str) -> None:
        super().__init__(backbone, head, classes, normalisation)

    def middle(self) -> Middle:
        """The features at stride 16 before the dilated stages, with the context's dilations.

        Our choice: as ResNet's third layer, they come before the last stride that dilation replaces.
        """
        return Middle(self.backbone.features[MIDDLE_BLOCK], MIDDLE_CHANNELS, self.head.context.dilations)


def mobile_deeplab(
    classes: ClassSet,
    width: int = 96,
    dilations: Sequence[int] = (1, 2, 4, 6),
    frozen_blocks: int = 4,
    frozen_statistics: bool = True,
    normalisation: str = "symmetric",
) -> MobileDeepLab:
    """A segmenter that trains on a laptop's processor, on images of about 320 x 240.

    width: channels of the context; the decoder has two thirds of it.
    dilations: of the context's convolutions. On 1024 x 512 DeepLab-v2 reaches 6..24 steps on a grid 65
        high, 9 to 37 % of the image; 1..6 steps are that share of the 15 rows that 240 pixels leave. Much
        larger ones would mostly read padding. For large images take 3, 6, 9, 12: DeepLab-v2's in pixels.
    frozen_blocks: so many blocks of MobileNet, the stem first, stay as loaded (0..18).
    frozen_statistics: keep batch norm on its stored statistics in training.
    normalisation: "symmetric" for weights from TensorFlow, "imagenet" for torchvision's.

    The defaults are for pretrained weights. From random ones take `frozen_blocks=0,
    frozen_statistics=False`.
    """
    backbone = MobileNetV2(frozen_statistics, frozen_blocks)
    head = SkipHead(backbone.channels, width, len(classes.names), dilations)
    return MobileDeepLab(backbone, head, classes, normalisation)
