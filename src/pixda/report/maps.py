"""What PixDA weighs on a shot: difficulty S, rarity B, their product, and the discriminator's verdict, by pixel."""

from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

from pixda.data.dataset import Sample, SegmentationDataset
from pixda.losses.adversarial import difficulty, rarity
from pixda.methods.pixda import PixDA
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample
from pixda.report.pictures import Captioned, captioned, captioned_map, captioned_mask
from pixda.report.runs import RunFolder

DISCRIMINATOR_COLOURS = "PuOr_r"
"""Purple is source, orange is target, white cannot be told."""


@dataclass(frozen=True)
class Maps:
    """The maps of one shot."""

    name: str
    rows: dict[str, list[Captioned]]
    """When ("before the adaptation") -> its pictures."""
    top: float
    """Where the scales of S and S B end."""
    notes: list[str]
    """What is missing or was switched off in this run, a sentence each."""


@torch.no_grad()
def pixel_maps(run: RunFolder, shots: SegmentationDataset, first: RunFolder | None, fabric: Fabric) -> Maps | None:
    """The maps of the shot that shows the most classes; None for a method that weighs no pixels.

    Args:
        run: a finished run.
        shots: its shots, at the training size.
        first: the first stage that it started from, where that is at hand: with it, S as it was at the beginning.
        fabric: device and precision.
    """
    recipe = run.training.recipe
    if not isinstance(recipe, PixDA) or recipe.alignment.discriminator == "none":
        return None
    alignment = recipe.alignment
    notes = []
    if first is None:
        notes.append("The network from before the adaptation was not kept apart, so there is no map of it.")
    if not alignment.difficulty:
        notes.append("S was switched off in this run (an ablation): every pixel counted as equally difficult.")
    if not alignment.rarity:
        notes.append("B was switched off in this run (an ablation): every class counted as equally rare.")
    discriminator = _discriminator(run, alignment.discriminator)
    if discriminator is None:
        notes.append(
            "This run kept no discriminator (no discriminator.safetensors in its folder), so its map is missing."
        )
    sample = max((shots[index] for index in range(len(shots))), key=lambda one: len(np.unique(one.mask)))
    after, when = _adapted(run, recipe)
    stages = {when: after} if first is None else {"before the adaptation": first.model(), when: after}
    logits = {stage: _logits(network, sample, fabric) for stage, network in stages.items()}
    labels = sample.mask[None].long()
    hard = {s: difficulty(upsample(z, labels.shape[-2:]).log_softmax(1), labels)[0] for s, z in logits.items()}
    rare = rarity(labels)[0]
    top = max(float(torch.quantile(s.flatten(), 0.99)) for s in hard.values())
    rows = {
        "the shot": [
            captioned(sample.image, f"{sample.name}: the image"),
            captioned_mask(sample.mask, shots.classes, f"{sample.name}: its labels"),
            captioned_map(rare, 1, "B, rarity"),
        ]
    }
    for stage, s in hard.items():
        rows[stage] = [captioned_map(s, top, "S, difficulty"), captioned_map(s * rare, top, "S · B, the weight")]
    if discriminator is not None:
        judged = logits[when]
        if alignment.discriminators_at == "image":
            judged = upsample(judged, labels.shape[-2:])
        seen = upsample(discriminator(judged.softmax(1)), labels.shape[-2:])[0, 0].sigmoid()
        rows[when].append(captioned_map(seen, 1, "the discriminator: source or target?", DISCRIMINATOR_COLOURS))
    return Maps(sample.name, rows, top, notes)


def _logits(network: Segmenter, sample: Sample, fabric: Fabric) -> Tensor:
    """``1 x C x h x w``, float32, on the CPU."""
    with fabric.autocast():
        logits: Tensor = network.to(fabric.device).eval()(sample.image[None].to(fabric.device).float())
    return logits.float().cpu()


def _adapted(run: RunFolder, recipe: PixDA) -> tuple[Segmenter, str]:
    """The network as the adaptation left it: the teacher of the distillation, or the model where none follows."""
    model = run.model()
    if not recipe.distillation.steps or not recipe.target_labels:
        return model, "after the adaptation"
    path = run.folder / "checkpoint.pt"
    state = torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else {}
    if "teacher" not in state.get("phase", {}):
        return model, "in the finished model"
    model.load_state_dict(state["phase"]["teacher"])
    return model, "after the adaptation"


def _discriminator(run: RunFolder, kind: str) -> nn.Module | None:
    path = run.folder / "discriminator.safetensors"
    if not path.is_file():
        path = run.folder / "critic.safetensors"  # its name in old runs
    if not path.is_file():
        return None
    classes = len(run.classes.names)
    discriminator = PixelDiscriminator(classes) if kind == "pixel" else ImageDiscriminator(classes)
    discriminator.load_state_dict(load_file(path))
    return discriminator.eval()
