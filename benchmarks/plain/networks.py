"""Forward passes, plainly: channels first, the second head computed though nobody reads it."""

import copy

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.models.deeplab import Bottleneck, DeepLabV2, DilatedSum
from pixda.models.discriminators import PixelDiscriminator


class PlainDeepLab(nn.Module):
    """DeepLab-v2's weights in the plain way: both heads, their logits raised to the image's size."""

    def __init__(self, segmenter: DeepLabV2) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.second = DilatedSum(segmenter.backbone.channels // 2, len(segmenter.classes.names))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """RGB ``B x 3 x H x W`` -> the second head's logits and the first's, ``B x C x H x W``."""
        net = self.segmenter.backbone
        x = self.segmenter.normalise(images)
        x = net.maxpool(F.relu(net.bn1(net.conv1(x))))
        for block in [*net.layer1, *net.layer2, *net.layer3]:
            x = bottleneck(block, x)
        second = self.second(x)
        for block in net.layer4:
            x = bottleneck(block, x)
        return raised(second, images), raised(self.segmenter.head(x), images)


def in_plain_form(discriminator: PixelDiscriminator) -> PixelDiscriminator:
    """A copy of the pixel discriminator with a convolution for its last layer."""
    discriminator = copy.deepcopy(discriminator)
    last = discriminator.layers[-1]
    plain = nn.utils.skip_init(nn.Conv2d, last.in_features, last.out_features, 1)  # draws no weights
    plain.load_state_dict({"weight": last.weight[:, :, None, None], "bias": last.bias})
    discriminator.layers[-1] = plain
    return discriminator


def bottleneck(block: Bottleneck, x: Tensor) -> Tensor:
    """One bottleneck of a ResNet."""
    residual = x if block.downsample is None else block.downsample(x)
    out = F.relu(block.bn1(block.conv1(x)), inplace=True)
    out = F.relu(block.bn2(block.conv2(out)), inplace=True)
    out = block.bn3(block.conv3(out))
    out += residual
    return F.relu(out, inplace=True)


def raised(logits: Tensor, images: Tensor) -> Tensor:
    """Bilinear to the images' size, corners aligned."""
    return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=True)
