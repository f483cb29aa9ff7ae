"""Backbones for small machines, at a sixteenth of the image: MobileNet-v2 1.0 and EfficientNet-Lite 0, 1 and 2.

MobileNet-v2 (Sandler et al., CVPR 2018) has torchvision's names, EfficientNet-Lite (Tan and Le, ICML 2019; Google's
form for phones) those of its released weights, without their underscores.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.layers import AnyBatchNorm, BatchNorm, convolved
from pixda.models.recompute import Block


class Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


# The classifiers have stride 2 in the last stage but one.
MOBILENET = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 1),
    Stage(6, 320, 1, 1),
)
LITE0 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 1, 5),
    Stage(6, 320, 1, 1),
)
DILATED = 5  # the stage whose stride is left out; the layers after it are dilated by 2 instead
STEM = 32  # channels of the first convolution
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # variant of EfficientNet-Lite -> width, depth
EPSILON = 1e-3  # of EfficientNet-Lite's batch norm, as the weights were trained


class Staged(nn.Module):
    """A stem and the blocks of several stages: B x 3 x H x W, normalised -> features at strides 4, 8 and 16."""

    channels: tuple[int, int, int]
    """Of the features at each stride."""
    ends: list[int]
    """For each stage the number of blocks up to its end."""

    def _blocks(
        self,
        name: str,
        parts: Sequence[Stage],
        block: Callable[..., nn.Module],
        frozen_statistics: bool,
        frozen_blocks: int,
    ) -> nn.Sequential:
        """The blocks of all stages; the stem counts among the frozen ones. Too many of these: `UserError`."""
        count = 1 + sum(stage.blocks for stage in parts)
        if not 0 <= frozen_blocks <= count:
            raise UserError(f"frozen_blocks is {frozen_blocks}: {name} has 0 to {count} blocks to freeze.")
        blocks: list[nn.Module] = []
        self.ends, inputs = [], STEM
        for number, stage in enumerate(parts):
            for index in range(stage.blocks):
                # In the classifier the first block has the stride and filters the grid before it: no dilation here.
                dilation = 2 if (number, index) > (DILATED, 0) else 1
                frozen = frozen_statistics or len(blocks) + 1 < frozen_blocks
                stride = stage.stride if index == 0 else 1
                blocks.append(block(inputs, stage.channels, stage.expansion, stage.kernel, stride, dilation, frozen))
                inputs = stage.channels
            self.ends.append(len(blocks))
        self.channels = (parts[1].channels, parts[2].channels, parts[-1].channels)
        self._before_dilation = parts[DILATED - 1].channels
        return nn.Sequential(*blocks)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def _stem(self, x: Tensor) -> Tensor:
        """B x 3 x H x W -> B x 32 x H/2 x W/2."""
        raise NotImplementedError

    def _staged(self) -> nn.Sequential:
        """The blocks after the stem."""
        raise NotImplementedError

    def before_dilation(self) -> tuple[nn.Module, int]:
        """The last block at stride 16 before the dilated stages, and its channels."""
        return self._staged()[self.ends[DILATED - 1] - 1], self._before_dilation

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B x 3 x H x W, normalised -> features at H/4, H/8 and H/16."""
        blocks = self._staged()
        quarter: Tensor = blocks[: self.ends[1]](self._stem(x))
        eighth: Tensor = blocks[self.ends[1] : self.ends[2]](quarter)
        sixteenth: Tensor = blocks[self.ends[2] :](eighth)
        return quarter, eighth, sixteenth


class Unit(nn.Sequential):
    """A convolution, its norm and a ReLU: B x inputs x H x W -> B x outputs x H/stride x W/stride."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, dilation: int, groups: int, frozen: bool
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
            BatchNorm(outputs, frozen),
            nn.ReLU6(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W -> B x outputs x H/stride x W/stride."""
        conv, norm, relu = self
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, AnyBatchNorm)
        out: Tensor = relu(convolved(conv, norm, x))
        return out


class InvertedResidual(Block):
    """Widen, filter each channel, narrow: B x inputs x H x W -> B x outputs x H/stride x W/stride."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, dilation: int, frozen: bool
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [] if expansion == 1 else [Unit(inputs, hidden, 1, 1, 1, 1, frozen)]
        self.conv = nn.Sequential(
            *widen,
            Unit(hidden, hidden, kernel, stride, dilation, hidden, frozen),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            BatchNorm(outputs, frozen),
        )
        self.residual = stride == 1 and inputs == outputs

    def run(self, x: Tensor) -> Tensor:
        """B x inputs x H x W -> B x outputs x H/stride x W/stride."""
        *units, conv, norm = self.conv
        out = x
        for unit in units:
            out = unit(out)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, AnyBatchNorm)
        out = convolved(conv, norm, out)
        return x + out if self.residual else out


class MobileNetV2(Staged):
    """B x 3 x H x W, normalised -> features at strides 4, 8 and 16, of `channels` = (24, 32, 320) channels.

    frozen_statistics: batch norm keeps its stored mean and variance in training. Needed with weights whose batch norm
        is folded into the convolutions; wrong with random weights.
    frozen_blocks: how many of the 18 blocks, the stem first, are not trained. They have no backward pass.
    """

    def __init__(self, frozen_statistics: bool = False, frozen_blocks: int = 0) -> None:
        super().__init__()
        stem = Unit(3, STEM, 3, 2, 1, 1, frozen_statistics or frozen_blocks > 0)
        blocks = self._blocks("MobileNet-v2", MOBILENET, InvertedResidual, frozen_statistics, frozen_blocks)
        self.features = nn.Sequential(stem, *blocks)
        self._initialise()
        self.features[:frozen_blocks].requires_grad_(False)

    def _stem(self, x: Tensor) -> Tensor:
        out: Tensor = self.features[0](x)
        return out

    def _staged(self) -> nn.Sequential:
        return nn.Sequential(*list(self.features)[1:])


def stages(variant: int) -> list[Stage]:
    """The stages of Lite 0, 1 or 2: widths in steps of 8, depths rounded up; first and last depth stay 1."""
    width, depth = SCALES[variant]
    scaled = []
    for number, stage in enumerate(LITE0):
        channels = max(8, int(stage.channels * width + 4) // 8 * 8)
        inner = 0 < number < len(LITE0) - 1
        # In hundredths, so that 3.0000000000000004 is not rounded up to 4.
        blocks = -(-stage.blocks * round(depth * 100) // 100) if inner else stage.blocks
        scaled.append(stage._replace(channels=channels, blocks=blocks))
    return scaled


def same_padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """B x C x H x W with zeros around it as in TensorFlow's SAME padding: an odd one goes to the right or bottom."""
    pads = []
    for side in (x.shape[-1], x.shape[-2]):
        total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2) if stride == 1 else 0  # with a stride `same_padded` does it
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)


def _norm(channels: int, frozen: bool) -> BatchNorm:
    return BatchNorm(channels, frozen, EPSILON)


class MBConv(Block):
    """Widen, filter each channel, narrow: B x inputs x H x W -> B x outputs x H/stride x W/stride."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, dilation: int, frozen: bool
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand_conv = _conv(inputs, hidden) if expansion > 1 else None
        self.bn0 = _norm(hidden, frozen) if expansion > 1 else None
        self.depthwise_conv = _conv(hidden, hidden, kernel, stride, dilation, groups=hidden)
        self.bn1 = _norm(hidden, frozen)
        self.project_conv = _conv(hidden, outputs)
        self.bn2 = _norm(outputs, frozen)
        self.kernel, self.stride = kernel, stride
        self.residual = stride == 1 and inputs == outputs

    def run(self, x: Tensor) -> Tensor:
        """B x inputs x H x W -> B x outputs x H/stride x W/stride."""
        out = x
        if self.expand_conv is not None and self.bn0 is not None:
            out = F.relu6(convolved(self.expand_conv, self.bn0, out), inplace=True)
        if self.stride > 1:
            out = same_padded(out, self.kernel, self.stride)
        out = F.relu6(convolved(self.depthwise_conv, self.bn1, out), inplace=True)
        out = convolved(self.project_conv, self.bn2, out)
        return x + out if self.residual else out


class EfficientNetLite(Staged):
    """B x 3 x H x W, normalised -> features at strides 4, 8 and 16, of `channels` channels.

    variant: 0, 1 or 2.
    frozen_statistics: batch norm keeps its stored mean and variance in training, which small batches need.
    frozen_blocks: how many blocks, the stem first, are not trained. They have no backward pass.
    """

    def __init__(self, variant: int = 0, frozen_statistics: bool = True, frozen_blocks: int = 0) -> None:
        super().__init__()
        self.conv_stem = _conv(3, STEM, 3, stride=2)
        self.bn0 = _norm(STEM, frozen_statistics or frozen_blocks > 0)
        name = f"EfficientNet-Lite{variant}"
        self.blocks = self._blocks(name, stages(variant), MBConv, frozen_statistics, frozen_blocks)
        self._initialise()
        if frozen_blocks > 0:
            for part in (self.conv_stem, self.bn0, self.blocks[: frozen_blocks - 1]):
                part.requires_grad_(False)

    def _stem(self, x: Tensor) -> Tensor:
        return F.relu6(convolved(self.conv_stem, self.bn0, same_padded(x, 3, 2)), inplace=True)

    def _staged(self) -> nn.Sequential:
        return self.blocks
