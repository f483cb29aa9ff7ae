"""FCN8s (Long, Shelhamer & Darrell, CVPR 2015) on VGG16, in its single-stage form: three scores, added as they grow.

Paddings, crops, factors and the fixed interpolation are those that FDA's released code (Yang & Soatto, CVPR 2020)
states, which are Caffe's. Facts only: nothing of that code is here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.models.segmenter import Segmenter
from pixda.models.vgg import VGG16

# Cells left out before and above, so that maps of two strides lie over each other; the last in pixels.
CROP_POOL4, CROP_POOL3, CROP_IMAGE = 5, 9, 31
SCALE_POOL4, SCALE_POOL3 = 0.01, 0.0001  # features of the middle layers are large numbers


def bilinear_kernel(size: int) -> Tensor:
    """The tent `k[a] k[b]`, `k[a] = 1 - |a - (size - 1) / 2| / (size / 2)`: float `size x size`, for an even size."""
    one = 1 - (torch.arange(size) - (size - 1) / 2).abs() / (size / 2)
    return one[:, None] * one


class Upscore(nn.Module):
    """Transposed convolution with a bilinear kernel, fixed: B x C x h x w -> B x C x s(h-1)+2s x s(w-1)+2s.

    `s` is the stride, the kernel has 2s x 2s entries. Every class is upsampled by itself. The kernel is neither
    trained nor stored.
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
    """pool3, pool4, fc7 -> scores B x outputs at the image's resolution, with a margin that the caller cuts off."""

    def __init__(self, channels: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        pool3, pool4, fc7 = channels
        self.score_fr = nn.Conv2d(fc7, outputs, 1)
        self.score_pool4 = nn.Conv2d(pool4, outputs, 1)
        self.score_pool3 = nn.Conv2d(pool3, outputs, 1)
        for layer in (self.score_fr, self.score_pool4, self.score_pool3):
            nn.init.normal_(layer.weight, 0.0, 0.01)  # from about even odds, as our other heads
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.upscore2 = Upscore(outputs, 2)
        self.upscore_pool4 = Upscore(outputs, 2)
        self.upscore8 = Upscore(outputs, 8)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Features at strides 8, 16 and 32 -> B x outputs x at least (H + 31) x (W + 31)."""
        pool3, pool4, fc7 = features
        coarse = self.upscore2(self.score_fr(fc7))
        middle = coarse + _cut(self.score_pool4(pool4 * SCALE_POOL4), CROP_POOL4, coarse)
        middle = self.upscore_pool4(middle)
        fine = middle + _cut(self.score_pool3(pool3 * SCALE_POOL3), CROP_POOL3, middle)
        scores: Tensor = self.upscore8(fine)
        return scores


def _cut(x: Tensor, offset: int, like: Tensor) -> Tensor:
    """The part of `x` that starts at `offset`, downwards and to the right, and is as large as `like`."""
    height, width = like.shape[-2:]
    return x[..., offset : offset + height, offset : offset + width]


class FCN8s(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H x W, at the image's own size.

    The maps of the three strides lie over each other and over the image to the pixel. The coarse score starts
    at pixel 12.5, and before it the interpolation runs out to zero: in the first 25 rows and columns it counts
    for less, down to 0.37 in the corner, and at some sizes in the last few. That is how FCN8s is built.
    """

    def __init__(self, backbone: VGG16, head: ScoreHead, classes: ClassSet, normalisation: str) -> None:
        super().__init__(backbone, head, classes, normalisation)

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x H x W."""
        return _cut(super().forward(images), CROP_IMAGE, images)


def fcn8s(classes: ClassSet, caffe: bool = False, width: float = 1.0) -> FCN8s:
    """FCN8s on VGG16, the network that NAAE is known to use.

    caffe: True for VGG16 converted from Caffe (BGR minus a mean), False for torchvision's (RGB with mean and
        deviation). Both kinds of file have torchvision's names, so the files cannot tell.
    width: share of VGG16's channels. The whole has 134 million parameters and needs weights to start from;
        0.25 has 8 million, starts at random and is for small machines. Pretrained weights fit 1 only.
    """
    backbone = VGG16(width)
    return FCN8s(backbone, ScoreHead(backbone.channels, len(classes.names)), classes, "caffe" if caffe else "imagenet")
