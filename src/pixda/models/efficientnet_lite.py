"""EfficientNet-Lite 0, 1 and 2 (Tan and Le, ICML 2019; Google's form for phones) at a sixteenth of the image."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.layers import BatchNorm, convolved
from pixda.models.recompute import Block


class Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


# The stages of Lite 0. The classifier has stride 2 in the 192-channel stage.
STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 1, 5),
    Stage(6, 320, 1, 1, 3),
)
DILATED = 5  # the stage whose stride is left out; the layers after it are dilated by 2 instead
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # variant -> width, depth
EPSILON = 1e-3  # of batch norm, as the weights were trained


def stages(variant: int) -> list[Stage]:
    """The stages of Lite 0, 1 or 2: widths in steps of 8, depths rounded up; first and last depth stay 1."""
    width, depth = SCALES[variant]
    scaled = []
    for number, stage in enumerate(STAGES):
        channels = max(8, int(stage.channels * width + 4) // 8 * 8)
        inner = 0 < number < len(STAGES) - 1
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


class EfficientNetLite(nn.Module):
    """B x 3 x H x W, normalised -> features at strides 4, 8 and 16, of `channels` channels.

    variant: 0, 1 or 2.
    frozen_statistics: batch norm keeps its stored mean and variance in training, which small batches need.
    frozen_blocks: how many blocks, the stem first, are not trained. They have no backward pass.
    """

    def __init__(self, variant: int = 0, frozen_statistics: bool = True, frozen_blocks: int = 0) -> None:
        super().__init__()
        parts = stages(variant)
        count = 1 + sum(stage.blocks for stage in parts)
        if not 0 <= frozen_blocks <= count:
            raise UserError(f"frozen_blocks is {frozen_blocks}: EfficientNet-Lite{variant} has 0 to {count} of them.")
        self.conv_stem = _conv(3, 32, 3, stride=2)
        self.bn0 = _norm(32, frozen_statistics or frozen_blocks > 0)
        blocks: list[nn.Module] = []
        self.ends: list[int] = []
        """For each stage the number of blocks up to its end."""
        inputs = 32
        for number, stage in enumerate(parts):
            for index in range(stage.blocks):
                # In the classifier the first block has the stride and filters the grid before it: no dilation here.
                dilation = 2 if (number, index) > (DILATED, 0) else 1
                frozen = frozen_statistics or len(blocks) + 1 < frozen_blocks
                stride = stage.stride if index == 0 else 1
                blocks.append(MBConv(inputs, stage.channels, stage.expansion, stage.kernel, stride, dilation, frozen))
                inputs = stage.channels
            self.ends.append(len(blocks))
        self.blocks = nn.Sequential(*blocks)
        self.channels = (parts[1].channels, parts[2].channels, parts[-1].channels)
        self._before_dilation = parts[DILATED - 1].channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if frozen_blocks > 0:
            self.conv_stem.requires_grad_(False)
            self.bn0.requires_grad_(False)
            self.blocks[: frozen_blocks - 1].requires_grad_(False)

    def before_dilation(self) -> tuple[nn.Module, int]:
        """The last block at stride 16 before the dilated stages, and its channels."""
        return self.blocks[self.ends[DILATED - 1] - 1], self._before_dilation

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B x 3 x H x W, normalised -> features at H/4, H/8 and H/16."""
        x = F.relu6(convolved(self.conv_stem, self.bn0, same_padded(x, 3, 2)), inplace=True)
        quarter: Tensor = self.blocks[: self.ends[1]](x)
        eighth: Tensor = self.blocks[self.ends[1] : self.ends[2]](quarter)
        last: Tensor = self.blocks[self.ends[2] :](eighth)
        return quarter, eighth, last
