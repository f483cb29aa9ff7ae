"""VGG16 (Simonyan & Zisserman, ICLR 2015) as FCN8s uses it, with torchvision's names."""

import torch.nn.functional as F
from torch import Tensor, nn

from pixda.errors import UserError

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions, each stage ended by a pooling
HIDDEN = 4096
MARGIN = 100  # pixels around the image, so that after five halvings any image is large enough for a 7x7 convolution
POOL3, POOL4, POOL5 = 17, 24, 31  # where each stage ends in `features`


class VGG16(nn.Module):
    """B x 3 x H x W, normalised -> features at strides 8, 16 and 32, of `channels` (256, 512, 4096 at width 1).

    The first two layers of the classifier are convolutions here, `fc6` (7x7) and `fc7` (1x1), which compute the same
    function at every place. All three maps start left of and above the image (see `FCN8s`).

    width: share of VGG's channels, above 0 and up to 1.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not 0 < width <= 1:
            raise UserError(f"The width of VGG16 is {width}: give a share of its channels above 0 and up to 1.")

        def share(channels: int) -> int:
            return max(1, round(width * channels))

        self.width = width
        layers: list[nn.Module] = []
        inputs = 3
        for channels, convolutions in STAGES:
            for _ in range(convolutions):
                layers += [nn.Conv2d(inputs, share(channels), 3, padding=1), nn.ReLU(inplace=True)]
                inputs = share(channels)
            layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.features[0] = nn.Conv2d(3, share(STAGES[0][0]), 3, padding=MARGIN)
        self.fc6 = nn.Conv2d(inputs, share(HIDDEN), 7)
        self.fc7 = nn.Conv2d(share(HIDDEN), share(HIDDEN), 1)
        self.dropout = nn.Dropout2d()
        self.channels = (share(256), share(512), share(HIDDEN))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B x 3 x H x W, normalised -> pool3, pool4 and fc7."""
        pool3: Tensor = self.features[:POOL3](x)
        pool4: Tensor = self.features[POOL3:POOL4](pool3)
        pool5: Tensor = self.features[POOL4:POOL5](pool4)
        fc6 = self.dropout(F.relu(self.fc6(pool5), inplace=True))
        fc7: Tensor = self.dropout(F.relu(self.fc7(fc6), inplace=True))
        return pool3, pool4, fc7
