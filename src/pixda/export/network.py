"""What is exported: everything from the pixels to the class indices."""

import torch
from torch import Tensor, nn

from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample


class Deployed(nn.Module):
    """A segmenter with all that stands around it, in eval mode.

    Args:
        segmenter: any.
        confidence: whether the confidence is an output, too.
    """

    def __init__(self, segmenter: Segmenter, confidence: bool) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.confidence = confidence
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """uint8 B x 3 x H x W, RGB -> class indices, uint8 B x H x W; and their softmax, float32 B x H x W, 0..1."""
        logits = upsample(self.segmenter(image.float()), image.shape[-2:])
        classes = logits.argmax(1).to(torch.uint8)
        return (classes, logits.softmax(1).amax(1)) if self.confidence else (classes,)
