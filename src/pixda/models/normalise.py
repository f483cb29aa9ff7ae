"""From RGB 0..255 to the scale and channel order with which a network's weights were trained."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pixda.errors import UserError


class Scale(NamedTuple):
    """`(image - mean) / std`, with mean and deviation in the network's channel order."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool


NORMALISATIONS: dict[str, Scale] = {
    # Weights converted from Caffe: OpenCV's channel order, no division.
    "caffe": Scale((104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0), bgr=True),
    # torchvision: 0..1 with the ImageNet mean and deviation, here on the 0..255 scale.
    "imagenet": Scale((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), bgr=False),
    # TensorFlow's EfficientNet-Lites.
    "efficientnet": Scale((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), bgr=False),
    # TensorFlow's MobileNets: -1..1.
    "symmetric": Scale((128.0, 128.0, 128.0), (128.0, 128.0, 128.0), bgr=False),
}


class Normalise(nn.Module):
    """RGB float B x 3 x H x W in 0..255 -> the same shape, as the network expects it.

    `scale` is the name of one of `NORMALISATIONS` (`UserError` otherwise), or a scale of its own.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, scale: str | Scale) -> None:
        super().__init__()
        self.name = scale if isinstance(scale, str) else "own"
        if isinstance(scale, str):
            if scale not in NORMALISATIONS:
                raise UserError(f"There is no normalisation '{scale}'; choose one of {', '.join(NORMALISATIONS)}.")
            scale = NORMALISATIONS[scale]
        self.bgr = scale.bgr
        self.register_buffer("mean", torch.tensor(scale.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(scale.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """B x 3 x H x W RGB 0..255 -> B x 3 x H x W."""
        if self.bgr:
            images = images.flip(1)
        return (images - self.mean) / self.std
