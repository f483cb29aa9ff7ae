"""ResNet-50 and -101 at an eighth of the image, in the form that DeepLab-v2 took over from Caffe."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from pixda.models.layers import AnyBatchNorm, BatchNorm
from pixda.models.recompute import Block, NormsAgain, recomputed

RESNET50 = (3, 4, 6, 3)
RESNET101 = (3, 4, 23, 3)


class Bottleneck(Block, NormsAgain):
    """Three convolutions and a shortcut: B x inputs x H x W -> B x 4*width x H/stride x W/stride."""

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        dilation: int,
        project: bool,
        caffe: bool,
        frozen_statistics: bool,
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
        # Of the maps between here and the sum, only the inputs of two norms are kept.
        x = self._made_again(lambda x: self.conv2(self.relu(self.bn1(x))), [self.bn1], x)
        out = self._made_again(lambda x: self.bn3(self.conv3(self.relu(self.bn2(x)))), [self.bn2, self.bn3], x)
        out += shortcut  # in place: a map of its own costs a processor more than the sum
        activated: Tensor = self.relu(out)
        return activated

    def _made_again(self, run: Callable[[Tensor], Tensor], norms: Sequence[AnyBatchNorm], x: Tensor) -> Tensor:
        """``run(x)``, made again in the backward pass, unless all of the block is, or nothing."""
        return run(x) if self.recompute or self.keep_norms else recomputed(run, norms, x)


class ResNet(NormsAgain):
    """B x 3 x H x W, normalised -> B x `channels` x about H/8 x W/8 (65 x 129 for 512 x 1024).

    blocks: bottlenecks in each of the four layers, `RESNET50` or `RESNET101`.
    caffe: True puts a layer's stride on the first 1x1 convolution, as the Caffe weights (`Scale.*` keys)
        want it, with dilations 1, 1, 2, 4. False puts it on the 3x3 convolution, as torchvision's weights
        want it; there the first block of a dilated layer keeps the dilation of the layer before, because
        its 3x3 convolution was trained on the grid from before the stride. Names and shapes are the same.
    frozen_statistics: batch norm uses and keeps the stored mean and variance even in training. Otherwise
        it trains on batch statistics. Its scale and shift are never trained (DeepLab-v2's practice).
    width: channels of the first layer.
    """

    def __init__(
        self,
        blocks: Sequence[int] = RESNET101,
        caffe: bool = True,
        frozen_statistics: bool = False,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.caffe = caffe
        self.channels = 32 * width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm(width, frozen_statistics)
        self.relu = nn.ReLU(inplace=True)
        # Ceil mode, as in Caffe: it is what makes 65 x 129 of 512 x 1024.
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)

        def layer(inputs: int, planes: int, count: int, stride: int, dilation: int, before: int) -> nn.Sequential:
            parts = []
            for block in range(count):
                parts.append(
                    Bottleneck(
                        inputs,
                        planes,
                        stride=stride if block == 0 else 1,
                        dilation=before if block == 0 and not caffe else dilation,
                        project=block == 0,
                        caffe=caffe,
                        frozen_statistics=frozen_statistics,
                    )
                )
                inputs = 4 * planes
            return nn.Sequential(*parts)

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
        # What lies between the first convolution and the pool is the largest map of all, and cheap to make again.
        x = self.conv1(x)
        x = self._pooled(x) if self.keep_norms else recomputed(self._pooled, [self.bn1], x)
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out

    def _pooled(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.maxpool(self.relu(self.bn1(x)))
        return pooled
