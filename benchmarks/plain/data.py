"""Frames and labels, plainly: decode, resize, one comparison a class, float32 in OpenCV's channel order."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IGNORE = 255


def decoded_labels(raw: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    """Class indices, float32 ``H x W``, from a mask of raw ids: one pass over the mask for each id."""
    raw = raw.astype(np.float32)
    labels = np.full(raw.shape, IGNORE, np.float32)
    for code, index in classes.items():
        labels[raw == code] = index
    return labels


def item(image: Path, mask: Path, size: tuple[int, int], classes: Mapping[int, int]) -> tuple[Tensor, Tensor]:
    """One frame as a loader gives it: float32 ``3 x H x W``, BGR, and float32 ``H x W``."""
    picture = Image.open(image).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    raw = Image.open(mask).resize(size, Image.Resampling.NEAREST)
    pixels = np.asarray(picture, np.float32)[:, :, ::-1].transpose(2, 0, 1)
    labels = decoded_labels(np.asarray(raw), classes)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels.copy())
