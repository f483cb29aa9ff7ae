"""A segmenter of a few hundred parameters, for tests and quick looks at a command."""

from torch import nn

from pixda.data.classes import ClassSet
from pixda.models.segmenter import Middle, Segmenter


class Tiny(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/4 x W/4, from one 3x3 patch each."""

    def __init__(self, classes: ClassSet) -> None:
        backbone = nn.Sequential(nn.Conv2d(3, 16, 3, stride=4, padding=1), nn.ReLU(inplace=True))
        super().__init__(backbone, nn.Conv2d(16, len(classes.names), 1), classes, "symmetric")

    def middle(self) -> Middle:
        """All of the features: there is but one layer."""
        return Middle(self.backbone, 16, (1,))
