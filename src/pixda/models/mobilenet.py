"""MobileNet-v2 1.0 (Sandler et al., CVPR 2018) at a sixteenth of the image, with torchvision's names."""

from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.layers import AnyBatchNorm, BatchNorm, convolved
from pixda.models.recompute import Block

# Expansion, output channels, blocks and stride of each stage. The classifier has stride 2 in the 160-channel stage.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)
BLOCKS = 18  # the stem and the seventeen of the stages
DILATED = 5  # the stage whose stride is left out; the layers after it are dilated by 2 instead
LAST_BEFORE_DILATED = 13  # the last block of the stage before


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
        self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int, frozen_statistics: bool
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [] if expansion == 1 else [Unit(inputs, hidden, 1, 1, 1, 1, frozen_statistics)]
        self.conv = nn.Sequential(
            *widen,
            Unit(hidden, hidden, 3, stride, dilation, hidden, frozen_statistics),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            BatchNorm(outputs, frozen_statistics),
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


class MobileNetV2(nn.Module):
    """B x 3 x H x W, normalised -> features at strides 4, 8 and 16, of `channels` = (24, 32, 320) channels.

    frozen_statistics: batch norm keeps its stored mean and variance in training. Needed with weights whose batch norm
        is folded into the convolutions; wrong with random weights.
    frozen_blocks: how many of the 18 blocks, the stem first, are not trained. They have no backward pass.
    """

    channels = (24, 32, 320)

    def __init__(self, frozen_statistics: bool = False, frozen_blocks: int = 0) -> None:
        super().__init__()
        if not 0 <= frozen_blocks <= BLOCKS:
            raise UserError(f"frozen_blocks is {frozen_blocks}: MobileNet-v2 has 0 to {BLOCKS} blocks to freeze.")
        blocks: list[nn.Module] = [Unit(3, 32, 3, 2, 1, 1, frozen_statistics or frozen_blocks > 0)]
        inputs = 32
        for stage, (expansion, outputs, count, stride) in enumerate(STAGES):
            for index in range(count):
                # In the classifier the first block has the stride and filters the grid before it: no dilation here.
                dilation = 2 if (stage, index) > (DILATED, 0) else 1
                frozen = frozen_statistics or len(blocks) < frozen_blocks
                blocks.append(
                    InvertedResidual(inputs, outputs, expansion, stride if index == 0 else 1, dilation, frozen)
                )
                inputs = outputs
        self.features = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        self.features[:frozen_blocks].requires_grad_(False)

    def before_dilation(self) -> tuple[nn.Module, int]:
        """The last block at stride 16 before the dilated stages, and its channels."""
        return self.features[LAST_BEFORE_DILATED], STAGES[DILATED - 1][1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B x 3 x H x W, normalised -> B x 24 x H/4 x W/4, B x 32 x H/8 x W/8, B x 320 x H/16 x W/16."""
        quarter: Tensor = self.features[:4](x)
        eighth: Tensor = self.features[4:7](quarter)
        sixteenth: Tensor = self.features[7:](eighth)
        return quarter, eighth, sixteenth
