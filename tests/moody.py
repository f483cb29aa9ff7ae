"""A small network with batch norm and dropout, in which it matters whether it trains or judges."""

from torch import nn

from pixda.models.layers import BatchNorm
from pixda.models.segmenter import Segmenter


class Moody(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/4 x W/4."""

    def __init__(self, classes):
        backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4, padding=1), BatchNorm(8), nn.ReLU(inplace=True), nn.Dropout(0.5)
        )
        super().__init__(backbone, nn.Conv2d(8, len(classes.names), 1), classes, "symmetric")
