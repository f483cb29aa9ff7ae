"""The two discriminators of PixDA (Tavera et al., WACV 2022), and NAAE's: which domain is a softmax map from?

All answer with logits of "target" (source = 0, target = 1), have no normalisation layers, so that source
and target may share a batch, and start from PyTorch's default initialisation.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pixda.errors import UserError

SLOPE = 0.2
SMALLEST = 32  # pixels that survive five halvings


class _Layers(nn.Module):
    layers: nn.Sequential

    def forward(self, maps: Tensor) -> Tensor:
        """Softmax map B x C x H x W -> logits of "target", B x outputs x h x w."""
        logits: Tensor = self.layers(maps)
        return logits


class PixelDiscriminator(_Layers):
    """Softmax map B x C x H x W -> one logit a pixel, B x 1 x H x W, each from a 5 x 5 window.

    With more `outputs` there are as many answers a pixel.
    """

    def __init__(self, classes: int, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(classes, 64, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            Pixelwise(128, outputs),
        )


class Pixelwise(nn.Linear):
    """A 1 x 1 convolution, written as what it is.

    `nn.Conv2d` to a single channel cannot tell channels-last from channels-first, and its gradient comes back in the
    wrong one: on a CPU that costs the pixel discriminator a quarter of its time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x H x W -> B x outputs x H x W."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ImageDiscriminator(_Layers):
    """Softmax map B x C x H x W -> one logit a patch, B x 1 x H/32 x W/32 (16 x 32 for 512 x 1024).

    inputs: channels of the map: C, or 2 C for a pair of maps.
    width: channels of the first layer.
    outputs: answers a patch, in place of one.
    spectral: divide each kernel by its largest singular value (Miyato et al., ICLR 2018), as FSDA's discriminators do.
    """

    def __init__(self, inputs: int, width: int = 64, outputs: int = 1, spectral: bool = False) -> None:
        super().__init__()
        channels = (inputs, width, 2 * width, 4 * width, 8 * width, outputs)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            halving = nn.Conv2d(before, after, 4, stride=2, padding=1)
            layers += [spectral_norm(halving) if spectral else halving, nn.LeakyReLU(SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, maps: Tensor) -> Tensor:
        """Softmax map B x inputs x H x W -> logits B x outputs x H/32 x W/32; H, W < 32: `UserError`."""
        height, width = maps.shape[-2:]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"The image discriminator halves its input five times and got a map of {width} x {height} pixels: "
                f"use images of at least {SMALLEST} x {SMALLEST}."
            )
        return super().forward(maps)


class RegionNet(_Layers):
    """Softmax map B x C x H x W -> one logit a cell of 8 x 8 pixels, B x outputs x H/8 x W/8, seen from 22 x 22.

    H and W are 8 or more.
    """

    def __init__(self, classes: int, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(classes, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(128, outputs, 4, stride=2, padding=1),
        )


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
    """Networks that say how real a source pixel looks: by itself, by its region and by its image.

    NAAE (Sun et al., CVPR 2019) has three such levels, which get predictions rather than images; how its networks are
    built is not published. These are OUR RECONSTRUCTION: PixDA's discriminators, and one between them, each with 1
    output, or one for each class.
    """
    return {
        "pixel": PixelDiscriminator(classes, outputs),
        "region": RegionNet(classes, outputs),
        "image": WholeImageNet(classes, outputs),
    }
