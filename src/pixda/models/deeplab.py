"""DeepLab-v2 (Chen et al., TPAMI 2018): a dilated ResNet and a sum of four dilated convolutions."""

from collections.abc import Sequence

from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.models.resnet import RESNET50, RESNET101, ResNet
from pixda.models.segmenter import Middle, Segmenter


class DilatedSum(nn.Module):
    """The sum of 3x3 convolutions with different dilations: B x inputs x h x w -> B x outputs x h x w.

    AdaptSegNet's widely copied code returns inside its loop and so sums only the first two, as its authors confirm.
    Weights made with it can be loaded, but give other results here.
    """

    def __init__(self, inputs: int, outputs: int, dilations: Sequence[int] = (6, 12, 18, 24)) -> None:
        super().__init__()
        self.dilations = tuple(dilations)
        self.branches = nn.ModuleList()
        for dilation in dilations:
            branch = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
            nn.init.normal_(branch.weight, 0.0, 0.01)
            self.branches.append(branch)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w -> B x outputs x h x w."""
        first, *others = self.branches
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        return total


class DeepLabV2(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w at stride 8 (65 x 129 for 512 x 1024)."""

    backbone: ResNet
    head: DilatedSum

    def __init__(self, backbone: ResNet, head: DilatedSum, classes: ClassSet, normalisation: str) -> None:
        super().__init__(backbone, head, classes, normalisation)

    def middle(self) -> Middle:
        """The last layer but one, as in AdaptSegNet, with the main head's dilations."""
        return Middle(self.backbone.layer3, self.backbone.channels // 2, self.head.dilations)


def _deeplab_resnet(blocks: Sequence[int], classes: ClassSet, caffe: bool, frozen_statistics: bool) -> DeepLabV2:
    backbone = ResNet(blocks, caffe, frozen_statistics)
    head = DilatedSum(backbone.channels, len(classes.names))
    return DeepLabV2(backbone, head, classes, "caffe" if caffe else "imagenet")


def deeplab_resnet50(classes: ClassSet, caffe: bool = True, frozen_statistics: bool = False) -> DeepLabV2:
    """DeepLab-v2 on ResNet-50; the options are those of `deeplab_resnet101`."""
    return _deeplab_resnet(RESNET50, classes, caffe, frozen_statistics)


def deeplab_resnet101(classes: ClassSet, caffe: bool = True, frozen_statistics: bool = False) -> DeepLabV2:
    """DeepLab-v2 on ResNet-101, the network of the paper.

    caffe: True for Caffe-style weights (`Scale.*` keys; BGR minus a mean), False for torchvision's
        (stride in the 3x3 convolutions; RGB with mean and deviation). The names in a file are the same: see `ResNet`.
    frozen_statistics: keep the stored statistics of batch norm in training.
    """
    return _deeplab_resnet(RESNET101, classes, caffe, frozen_statistics)
