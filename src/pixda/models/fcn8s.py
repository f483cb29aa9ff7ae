"""FCN8s (Long, Shelhamer & Darrell, CVPR 2015) on VGG16, trained in one stage: scores at three strides are added up.

Paddings, crops, factors and the fixed interpolation are Caffe's, as in FDA's released code (Yang & Soatto, CVPR 2020).
None of that code is used here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.segmenter import Segmenter

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions, each stage ended by a pooling
HIDDEN = 4096
MARGIN = 100  # pixels around the image, so that after five halvings any image is large enough for a 7x7 convolution
POOL3, POOL4, POOL5 = 17, 24, 31  # where each stage ends in `features`

# Rows and columns cut off at the top and left of a map, to align it with the coarser one or with the image.
CROP_POOL4, CROP_POOL3, CROP_IMAGE = 5, 9, 31
SCALE_POOL4, SCALE_POOL3 = 0.01, 0.0001  # the features of these layers are large numbers


class VGG16(nn.Module):
    """VGG16 (Simonyan & Zisserman, ICLR 2015), with torchvision's names.

    B x 3 x H x W, normalised -> features at strides 8, 16 and 32, of `channels` (256, 512, 4096 at width 1).

    The first two layers of the classifier are convolutions here, `fc6` (7x7) and `fc7` (1x1), which compute the same
    function at every place. All three maps start left of and above the image (see `FCN8s`).

    width: share of VGG's channels, above 0 and up to 1.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not 0 < width <= 1:
            raise UserError(f"The width of VGG16 is {width}: give a share of its channels above 0 and up to 1.")

        def share(channels: int) -> int:
            return max(1, round(width * channels))

        self.width = width
        layers: list[nn.Module] = []
        inputs = 3
        for channels, convolutions in STAGES:
            for _ in range(convolutions):
                layers += [nn.Conv2d(inputs, share(channels), 3, padding=1), nn.ReLU(inplace=True)]
                inputs = share(channels)
            layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.features[0] = nn.Conv2d(3, share(STAGES[0][0]), 3, padding=MARGIN)
        self.fc6 = nn.Conv2d(inputs, share(HIDDEN), 7)
        self.fc7 = nn.Conv2d(share(HIDDEN), share(HIDDEN), 1)
        self.dropout = nn.Dropout2d()
        self.channels = (share(256), share(512), share(HIDDEN))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B x 3 x H x W, normalised -> pool3, pool4 and fc7."""
        pool3: Tensor = self.features[:POOL3](x)
        pool4: Tensor = self.features[POOL3:POOL4](pool3)
        pool5: Tensor = self.features[POOL4:POOL5](pool4)
        fc6 = self.dropout(F.relu(self.fc6(pool5), inplace=True))
        fc7: Tensor = self.dropout(F.relu(self.fc7(fc6), inplace=True))
        return pool3, pool4, fc7


def bilinear_kernel(size: int) -> Tensor:
    """`k[a] k[b]` with `k[a] = 1 - |a - (size - 1) / 2| / (size / 2)`: float `size x size`, for an even size."""
    one = 1 - (torch.arange(size) - (size - 1) / 2).abs() / (size / 2)
    return one[:, None] * one


class Upscore(nn.Module):
    """Transposed convolution with a bilinear kernel, fixed: B x C x h x w -> B x C x s(h-1)+2s x s(w-1)+2s.

    `s` is the stride, the kernel has 2s x 2s entries. Each class is upsampled by itself. The kernel is a constant: it
    is neither trained nor saved.
    """

    kernel: Tensor

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride
        self.register_buffer("kernel", bilinear_kernel(2 * stride).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        """B x C x h x w -> B x C x s(h+1) x s(w+1)."""
        return F.conv_transpose2d(scores, self.kernel, stride=self.stride, groups=self.channels)


class ScoreHead(nn.Module):
    """pool3, pool4, fc7 -> scores B x outputs at the image's resolution, with a margin that `FCN8s` cuts off."""

    def __init__(self, channels: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        pool3, pool4, fc7 = channels
        self.score_fr = nn.Conv2d(fc7, outputs, 1)
        self.score_pool4 = nn.Conv2d(pool4, outputs, 1)
        self.score_pool3 = nn.Conv2d(pool3, outputs, 1)
        for layer in (self.score_fr, self.score_pool4, self.score_pool3):
            nn.init.normal_(layer.weight, 0.0, 0.01)  # at first all classes are about equally likely
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.upscore2 = Upscore(outputs, 2)
        self.upscore_pool4 = Upscore(outputs, 2)
        self.upscore8 = Upscore(outputs, 8)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Features at strides 8, 16 and 32 -> B x outputs x at least (H + 31) x (W + 31)."""
        pool3, pool4, fc7 = features
        scores: Tensor = self.upscore2(self.score_fr(fc7))
        scores = scores + _cut(self.score_pool4(pool4 * SCALE_POOL4), CROP_POOL4, scores)
        scores = self.upscore_pool4(scores)
        scores = scores + _cut(self.score_pool3(pool3 * SCALE_POOL3), CROP_POOL3, scores)
        upscored: Tensor = self.upscore8(scores)
        return upscored


def _cut(x: Tensor, offset: int, like: Tensor) -> Tensor:
    """The part of `x` as large as `like` that starts at row and column `offset`."""
    height, width = like.shape[-2:]
    return x[..., offset : offset + height, offset : offset + width]


class FCN8s(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H x W, at the image's own size.

    The maps of the three strides are aligned with each other and with the image to the pixel. The first cell of the
    coarsest score is centred at pixel 12.5; nearer the border the interpolation fades to zero. In the first 25 rows and
    columns, and at some sizes in the last few, that score counts for less, down to 0.37 in the corner. The original
    FCN8s does the same.
    """

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x H x W."""
        return _cut(super().forward(images), CROP_IMAGE, images)


def fcn8s(classes: ClassSet, caffe: bool = False, width: float = 1.0) -> FCN8s:
    """FCN8s on VGG16, the network that NAAE uses.

    caffe: True for VGG16 converted from Caffe (BGR minus a mean), False for torchvision's (RGB with mean and
        deviation). Both kinds of file have the same names, so this cannot be found out from a file.
    width: share of VGG16's channels. At 1 there are 134 million parameters, which need pretrained weights; these fit
        no other width. At 0.25 there are 8 million, which start at random, for small machines.
    """
    backbone = VGG16(width)
    return FCN8s(backbone, ScoreHead(backbone.channels, len(classes.names)), classes, "caffe" if caffe else "imagenet")
