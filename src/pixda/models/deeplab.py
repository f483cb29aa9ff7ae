"""DeepLab-v2 (Chen et al., TPAMI 2018): a dilated ResNet and a sum of four dilated convolutions."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.models.layers import AnyBatchNorm, BatchNorm
from pixda.models.recompute import Block, RecomputedNorms, recomputed
from pixda.models.segmenter import Middle, Segmenter

RESNET50 = (3, 4, 6, 3)
RESNET101 = (3, 4, 23, 3)


class Bottleneck(Block, RecomputedNorms):
    """Three convolutions and a shortcut: B x inputs x H x W -> B x 4*width x H/stride x W/stride."""

    def __init__(
        self, inputs: int, width: int, stride: int, dilation: int, project: bool, caffe: bool, frozen_statistics: bool
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if caffe else (1, stride)
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = BatchNorm(width, frozen_statistics)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = BatchNorm(width, frozen_statistics)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = BatchNorm(outputs, frozen_statistics)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs, frozen_statistics)
            )

    def run(self, x: Tensor) -> Tensor:
        """B x inputs x H x W -> B x 4*width x H/stride x W/stride."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.conv1(x)
        x = self._maybe_recomputed(lambda x: self.conv2(self.relu(self.bn1(x))), [self.bn1], x)
        x = self._maybe_recomputed(lambda x: self.bn3(self.conv3(self.relu(self.bn2(x)))), [self.bn2, self.bn3], x)
        x += shortcut  # in place, since memory for another map takes a processor longer than the sum
        activated: Tensor = self.relu(x)
        return activated

    def _maybe_recomputed(self, run: Callable[[Tensor], Tensor], norms: Sequence[AnyBatchNorm], x: Tensor) -> Tensor:
        """``run(x)``, of which the backward pass computes all but ``x`` again, unless the settings say otherwise."""
        return run(x) if self.recompute or self.keep_norms else recomputed(run, norms, x)


class ResNet(RecomputedNorms):
    """ResNet-50 or -101 (He et al., CVPR 2016) at an eighth of the image.

    B x 3 x H x W, normalised -> B x `channels` x about H/8 x W/8 (65 x 129 for 512 x 1024).

    blocks: bottlenecks in each of the four layers, `RESNET50` or `RESNET101`.
    caffe: True has a layer's stride in its first 1x1 convolution, as the Caffe weights (`Scale.*` keys) need it, with
        dilations 1, 1, 2, 4. False has it in the 3x3 convolution, as torchvision's weights need it; there the first
        block of a dilated layer keeps the dilation of the layer before, because its 3x3 convolution was trained on
        the grid before the stride. Names and shapes are the same.
    frozen_statistics: batch norm keeps its stored mean and variance in training instead of the batch's. Its scale and
        shift are never trained (DeepLab-v2's practice).
    width: channels of the first layer.
    """

    def __init__(
        self, blocks: Sequence[int] = RESNET101, caffe: bool = True, frozen_statistics: bool = False, width: int = 64
    ) -> None:
        super().__init__()
        self.caffe, self.channels = caffe, 32 * width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm(width, frozen_statistics)
        self.relu = nn.ReLU(inplace=True)
        # Ceil mode, as in Caffe: it makes 65 x 129 of 512 x 1024.
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)

        def layer(inputs: int, planes: int, count: int, stride: int, dilation: int, before: int) -> nn.Sequential:
            first_dilation = dilation if caffe else before
            first = Bottleneck(inputs, planes, stride, first_dilation, True, caffe, frozen_statistics)
            others = [
                Bottleneck(4 * planes, planes, 1, dilation, False, caffe, frozen_statistics) for _ in range(count - 1)
            ]
            return nn.Sequential(first, *others)

        self.layer1 = layer(width, width, blocks[0], stride=1, dilation=1, before=1)
        self.layer2 = layer(4 * width, 2 * width, blocks[1], stride=2, dilation=1, before=1)
        self.layer3 = layer(8 * width, 4 * width, blocks[2], stride=1, dilation=2, before=1)
        self.layer4 = layer(16 * width, 8 * width, blocks[3], stride=1, dilation=4, before=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.01)
            elif isinstance(module, BatchNorm):
                module.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """B x 3 x H x W, normalised -> B x `channels` x about H/8 x W/8."""
        # Between the first convolution and the pooling are the largest maps, which are quickly computed again.
        x = self.conv1(x)
        x = self._pooled(x) if self.keep_norms else recomputed(self._pooled, [self.bn1], x)
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out

    def _pooled(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.maxpool(self.relu(self.bn1(x)))
        return pooled


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
