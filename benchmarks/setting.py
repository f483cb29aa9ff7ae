"""What is measured on: sizes, device, and made-up frames that are like street frames where it matters."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.data.classes import ClassSet
from pixda.data.domains import Batch, StepBatch

CLASSES = 19


@dataclass(frozen=True)
class Setting:
    """Sizes are (width, height)."""

    device: torch.device
    size: tuple[int, int] = (1024, 512)
    batch: int = 4
    discriminators_batch: int = 2
    """Of the discriminators alone: their maps at full resolution fill a small machine's memory."""
    step_batch: int = 1
    """Images of each domain in the whole step: the paper's 4 on a GPU."""
    scored: tuple[int, int] = (2048, 1024)
    stored: tuple[int, int] = (1914, 1052)
    """Of a source frame on disk."""
    network: str = "deeplab_resnet101"

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return {**asdict(self), "device": str(self.device)}

    @staticmethod
    def from_json(given: dict[str, Any]) -> "Setting":
        """What :meth:`as_json` was made of."""
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        return Setting(**{**values, "device": torch.device(given["device"])})

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.size[1], self.size[0]

    @property
    def classes(self) -> ClassSet:
        """The 19 classes of Cityscapes."""
        return ClassSet.load("cityscapes-19")

    def coarse(self, stride: int = 8) -> tuple[int, int]:
        """Height and width of logits, as DeepLab has them: 65 x 129 of 512 x 1024."""
        return self.size[1] // stride + 1, self.size[0] // stride + 1

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers that are the same on every machine."""
        return torch.Generator().manual_seed(seed)

    def images(self, batch: int, seed: int, size: tuple[int, int] | None = None) -> Tensor:
        """Whole grey levels 0..255 as float32 ``B x 3 x H x W``: smooth, with the noise of a sensor."""
        width, height = size or self.size
        generator = self.generator(seed)
        smooth = torch.rand(batch, 3, height // 32 + 2, width // 32 + 2, generator=generator)
        smooth = F.interpolate(smooth, (height, width), mode="bicubic").clamp(0, 1) * 235 + 10
        noise = torch.randn(batch, 3, height, width, generator=generator) * 3
        return (smooth + noise).clamp(0, 255).round().to(self.device)

    def labels(self, batch: int, seed: int, size: tuple[int, int] | None = None) -> Tensor:
        """Class indices int64 ``B x H x W`` in patches, some of them ignored (255)."""
        width, height = size or self.size
        grid = (batch, 1, height // 24 + 1, width // 40 + 1)
        patches = torch.randint(0, CLASSES + 1, grid, generator=self.generator(seed))
        raised = F.interpolate(patches.float(), (height, width), mode="nearest").long().squeeze(1)
        return raised.masked_fill(raised == CLASSES, 255).to(self.device)

    def logits(self, batch: int, seed: int, spread: float = 3.0) -> Tensor:
        """Logits at a network's stride, float32 ``B x C x h x w``."""
        return (torch.randn(batch, CLASSES, *self.coarse(), generator=self.generator(seed)) * spread).to(self.device)

    def pair(self, batch: int) -> StepBatch:
        """A labelled batch of each domain."""
        return StepBatch(
            Batch(self.images(batch, 1), self.labels(batch, 2), [f"s{n}" for n in range(batch)]),
            Batch(self.images(batch, 3), self.labels(batch, 4), [f"t{n}" for n in range(batch)]),
        )
