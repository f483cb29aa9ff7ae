"""Frames to look at, chosen by rule, with what each network makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from pixda.data.classes import IGNORE, ClassSet
from pixda.data.dataset import SegmentationDataset
from pixda.evaluation import predict
from pixda.metrics import ConfusionMatrix
from pixda.models.segmenter import Segmenter
from pixda.report.pictures import Captioned, captioned, captioned_mask

MOST_FRAMES = 120
"""So many are judged, evenly spread over the split: a rule must not take hours on a large network."""
_MOST_BOXES = 6
_SMALLEST_BOX = 2e-4
"""Of the picture: smaller things are specks of labelling."""

Network = tuple[Segmenter, tuple[int, int]]
"""A segmenter in eval mode, and the (width, height) that it works at."""


@dataclass(frozen=True)
class Box:
    """A small thing in the truth: left, top, width and height in percent of the picture."""

    name: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Row:
    """One frame."""

    rule: str
    """Why this one."""
    name: str
    miou: float
    """Of the report's run on this frame, over the classes in it, 0..1."""
    pictures: list[Captioned]
    """Image, truth, each network, and the difference where there are two networks."""
    boxes: list[Box]


@dataclass(frozen=True)
class ChosenFrames:
    """What a look at the scored frames gave."""

    rows: list[Row]
    heads: list[str]
    """Of the pictures in each row."""
    rival: int
    """Place of the rival's picture; of the image where there is none."""
    judged: int
    of: int
    confusion: list[list[int]] | None
    """Of the first network; None where not all frames were judged."""


def choose_frames(
    test: SegmentationDataset,
    networks: Mapping[str, Network],
    rival: str | None,
    small: Sequence[str],
    fabric: Fabric,
    progress: Callable[[int, int], None],
) -> ChosenFrames:
    """Choose frames and predict them.

    The frames are those where the first network does best, middling and worst, and the one where it and its rival
    differ on the most labelled pixels.

    Args:
        test: labelled frames at their stored size.
        networks: name -> network, the report's own first.
        rival: name of the network that the first one is compared with; None without another.
        small: classes whose things get boxes.
        fabric: device and precision.
        progress: told (done, total).
    """
    own = next(iter(networks))
    count = min(MOST_FRAMES, len(test))
    total = ConfusionMatrix(test.classes, fabric.device)
    quality: dict[int, float] = {}
    change: dict[int, float] = {}
    for done, index in enumerate((number * len(test) // count for number in range(count)), start=1):
        sample = test[index]
        labels = sample.mask.to(fabric.device)
        mine = _predicted(networks[own], sample.image, fabric)
        if (labels != IGNORE).any():
            matrix = ConfusionMatrix(test.classes, fabric.device)
            matrix.update(mine, labels)
            total.counts += matrix.counts
            quality[index] = matrix.scores().miou
            if rival is not None:
                theirs = _predicted(networks[rival], sample.image, fabric)
                change[index] = float((mine != theirs)[labels != IGNORE].float().mean())
        progress(done, count)
    rows = [_row(test, index, rule, quality[index], networks, rival, small, fabric)
            for rule, index in _chosen(quality, change, own, rival).items()]  # fmt: skip
    heads = ["image", "truth", *networks, *([f"{own} against {rival}"] if rival else ["errors"])]
    place = heads.index(rival, 2) if rival else 0
    return ChosenFrames(rows, heads, place, count, len(test), total.counts.tolist() if count == len(test) else None)


def _chosen(quality: Mapping[int, float], change: Mapping[int, float], own: str, rival: str | None) -> dict[str, int]:
    """Rule -> frame, no frame twice."""
    ranked = sorted(quality, key=lambda index: (-quality[index], index))
    wanted = {
        f"where {own} does best": ranked[:1],
        f"where {own} does middling (the median)": ranked[len(ranked) // 2 :],
        f"where {own} does worst": ranked[::-1],
        f"where {own} and {rival} differ most": sorted(change, key=lambda index: (-change[index], index)),
    }
    chosen: dict[str, int] = {}
    for rule, indices in wanted.items():
        free = [index for index in indices if index not in chosen.values()]
        if free:
            chosen[rule] = free[0]
    return chosen


def _row(
    test: SegmentationDataset,
    index: int,
    rule: str,
    miou: float,
    networks: Mapping[str, Network],
    rival: str | None,
    small: Sequence[str],
    fabric: Fabric,
) -> Row:
    sample = test[index]
    name = test.frames[index].name
    seen = {title: _predicted(network, sample.image, fabric).cpu() for title, network in networks.items()}
    own = next(iter(networks))
    pictures = [
        captioned(sample.image, f"{name}: the image"),
        captioned_mask(sample.mask, test.classes, f"{name}: the truth"),
        *(captioned_mask(mask, test.classes, f"{name}: what {title} says") for title, mask in seen.items()),
    ]
    text = f"where {own} is right and {rival} is not, and the other way round" if rival else f"errors of {own}"
    pictures.append(_difference(seen[own], seen[rival or own], sample.mask, f"{name}: {text}"))
    return Row(rule, name, miou, pictures, boxes(sample.mask, test.classes, small))


def _predicted(network: Network, image: Tensor, fabric: Fabric) -> Tensor:
    return predict(network[0], image, network[1], fabric)


DIFFERENCE = {
    "only_ours": (0x00, 0x72, 0xB2),
    "only_theirs": (0xE6, 0x9F, 0x00),
    "neither": (0x60, 0x60, 0x60),
    "both": (0xEE, 0xEE, 0xEE),
    "unlabelled": (0x00, 0x00, 0x00),
}
"""Colours of the difference picture, told apart with any kind of colour vision."""


def _difference(ours: Tensor, theirs: Tensor, truth: Tensor, text: str) -> Captioned:
    """Who is right where; of one network, given as both, where it is."""
    right, rivals = ours == truth, theirs == truth
    picture = torch.empty(*truth.shape, 3, dtype=torch.uint8)
    for colour, where in (
        ("both", right & rivals),
        ("only_ours", right & ~rivals),
        ("only_theirs", ~right & rivals),
        ("neither", ~right & ~rivals),
        ("unlabelled", truth == IGNORE),
    ):
        picture[where] = torch.tensor(DIFFERENCE[colour], dtype=torch.uint8)
    return captioned(picture.permute(2, 0, 1), text)


def boxes(truth: Tensor, classes: ClassSet, small: Sequence[str]) -> list[Box]:
    """Boxes around the largest connected things of the small classes, six at most."""
    height, width = truth.shape
    found: list[tuple[int, Box]] = []
    for name in small:
        mask = (truth == classes.names.index(name)).cpu().numpy().astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for left, top, wide, high, pixels in stats[1:].tolist():
            if pixels >= _SMALLEST_BOX * width * height:
                parts = (left / width, top / height, wide / width, high / height)
                found.append((pixels, Box(name, *(round(100 * part, 2) for part in parts))))
    return [box for _, box in sorted(found, key=lambda one: -one[0])[:_MOST_BOXES]]
