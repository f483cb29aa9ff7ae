"""Three discriminators that say how real a source pixel looks: by itself, by its region and by its image.

NAAE (Sun et al., CVPR 2019) has three such levels, which get predictions rather than images; how its networks are built
is not published. These are OUR RECONSTRUCTION: PixDA's discriminators, and one between them. All map a softmax map
B x C x H x W to logits of "target" (source = 0, target = 1) in `outputs` channels: 1, or one for each class.
"""

from torch import Tensor, nn

from pixda.models.discriminators import SLOPE, ImageDiscriminator, PixelDiscriminator


class RegionNet(nn.Module):
    """Softmax map B x C x H x W -> one logit a cell of 8 x 8 pixels, B x outputs x H/8 x W/8, seen from 22 x 22."""

    def __init__(self, classes: int, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(classes, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(128, outputs, 4, stride=2, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Softmax map B x C x H x W, H and W of 8 or more -> logits B x outputs x H/8 x W/8."""
        logits: Tensor = self.layers(maps)
        return logits


class WholeImageNet(nn.Module):
    """Softmax map B x C x H x W -> one logit an image, B x outputs x 1 x 1: the mean of a discriminator's patches."""

    def __init__(self, classes: int, outputs: int = 1) -> None:
        super().__init__()
        self.patches = ImageDiscriminator(classes, outputs=outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Softmax map B x C x H x W -> logits B x outputs x 1 x 1; H, W < 32: `UserError`."""
        logits: Tensor = self.patches(maps).mean((2, 3), keepdim=True)
        return logits


def weighting_nets(classes: int, outputs: int) -> dict[str, nn.Module]:
    """One network for each level, from the finest to the coarsest."""
    return {
        "pixel": PixelDiscriminator(classes, outputs),
        "region": RegionNet(classes, outputs),
        "image": WholeImageNet(classes, outputs),
    }
