"""The losses, plainly: each from the logits on its own, one-hot vectors, loops over images and classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 255


def focal(logits: Tensor, labels: Tensor, gamma: float, alpha: Tensor) -> Tensor:
    """Focal loss of logits ``B x C x H x W`` over the valid pixels: softmax, a row a pixel, one-hot labels."""
    classes = logits.shape[1]
    probabilities = logits.softmax(1).view(len(logits), classes, -1).permute(0, 2, 1).contiguous().view(-1, classes)
    flat = labels.view(-1, 1)
    valid = (flat != IGNORE).squeeze(1)
    probabilities, flat = probabilities[valid], flat[valid]
    one_hot = torch.zeros(len(flat), classes, device=logits.device).scatter_(1, flat, 1)
    pt = (one_hot * probabilities).sum(1)
    loss: Tensor = -alpha[flat].squeeze(1) * torch.pow(1 - pt, gamma) * pt.log()
    return loss.mean()


def rarity(labels: Tensor) -> Tensor:
    """B: for each image and each label in it, one comparison to count and one to write."""
    maps = torch.zeros(labels.shape, device=labels.device)
    for image in range(len(labels)):
        for label in torch.unique(labels[image]):
            here = labels[image] == label
            maps[image][here] = 1 - here.sum().float() / here.numel()
    return maps


def pixadv(verdict: Tensor, logits: Tensor, labels: Tensor, in_graph: bool = False) -> Tensor:
    """PixAdv: S from a cross entropy of its own, B anew, binary cross entropy to the label of the source."""
    s = F.cross_entropy(logits if in_graph else logits.detach(), labels, ignore_index=IGNORE, reduction="none")
    fooled = F.binary_cross_entropy_with_logits(verdict, torch.zeros_like(verdict), reduction="none").squeeze(1)
    return (s * rarity(labels) * fooled).mean()


def discriminator_half(verdict: Tensor, is_target: float) -> Tensor:
    """Half of a discriminator's loss: binary cross entropy to one domain's label."""
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, is_target)) / 2


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross entropy of the student's logits against the teacher's, both ``B x C x H x W``, summed over classes."""
    soft = F.softmax(teacher / temperature, dim=1)
    return -(soft * F.log_softmax(student, dim=1)).sum(1).mean()
