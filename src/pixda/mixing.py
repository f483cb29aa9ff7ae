"""Mixed and masked images for self-training."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pixda.data.classes import IGNORE


def class_mix(
    front_images: Tensor,
    front_labels: Tensor,
    back_images: Tensor,
    back_labels: Tensor,
    classes: int,
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor]:
    """ClassMix: half of the classes of each front image, drawn at random, pasted onto a back image with their labels.

    Olsson et al., *ClassMix*, WACV 2021; across domains as in Tranheden et al., *DACS*, WACV 2021: of ``n`` classes
    that a front image shows, ``(n + 1) // 2`` are pasted. Ignored pixels are never pasted.

    Args:
        front_images: float ``B x 3 x H x W``; what is cut out.
        front_labels: int64 ``B x H x W``, 0..C-1 or 255.
        back_images: float ``B x 3 x H x W``.
        back_labels: int64 ``B x H x W``.
        classes: C.
        generators: one for each image, on the CPU; they decide which classes.

    Returns:
        Images and labels of the same shapes.
    """
    batch = len(front_images)
    order = torch.stack([torch.rand(classes, generator=one) for one in generators]).to(front_images.device)
    # One more class for the ignored pixels, which is then left out.
    places = torch.where(front_labels == IGNORE, classes, front_labels)
    shown = torch.zeros(batch, classes + 1, device=places.device).scatter_(1, places.flatten(1), 1.0)[:, :classes] > 0
    position = torch.where(shown, order, 2.0).argsort(1).argsort(1)  # classes that are shown come first
    pasted = shown & (position < (shown.sum(1, keepdim=True) + 1) // 2)
    pasted = F.pad(pasted, (0, 1))
    cut = pasted.gather(1, places.flatten(1)).view_as(places)
    return torch.where(cut[:, None], front_images, back_images), torch.where(cut, front_labels, back_labels)


def hide_blocks(
    images: Tensor, share: float, block: int, fill: Tensor, generators: Sequence[torch.Generator]
) -> Tensor:
    """The images with a random share of their square blocks hidden.

    Hoyer et al., *MIC: Masked Image Consistency for Context-Enhanced Domain Adaptation*, CVPR 2023, eq. 3: each block
    is hidden with probability ``share``, and at most all of them.

    Args:
        images: float ``B x 3 x H x W``, 0..255.
        share: 0..1.
        block: side of a block, pixels; those at the right and lower edge may be cut.
        fill: float ``3`` (or broadcastable), what is shown instead, 0..255.
        generators: one for each image, on the CPU.
    """
    height, width = images.shape[-2:]
    rows, columns = -(-height // block), -(-width // block)
    hidden = torch.stack([torch.rand(1, rows, columns, generator=one) for one in generators]) < share
    hidden = hidden.repeat_interleave(block, 2).repeat_interleave(block, 3)[..., :height, :width]
    return torch.where(hidden.to(images.device), fill.view(1, 3, 1, 1).to(images), images)


def class_thresholds(confidence: Tensor, most: float) -> Tensor:
    """The confidence that a pixel of each class must reach: ``most`` for the class the teacher is surest of, less for
    the others in proportion, so that a hard class is not left out altogether.

    ``t_c = most * m_c / max_k m_k`` with ``m_c`` the class's mean confidence. In the spirit of Zhang et al.,
    *FlexMatch*, NeurIPS 2021, who scale by how many samples pass instead.

    Args:
        confidence: float ``C``, 0..1; the mean confidence of the pixels that the teacher gives to the class.
        most: 0..1.
    """
    return most * confidence / confidence.max().clamp_min(1e-6)
