"""Which frames are worth labelling: typical ones, unlike each other, from all cities (greedy k-medoids).

What a network sees in a frame describes it: where it predicts which class, and its deepest features. With so few labels
a network learns more from typical frames than from those it is unsure of (Hacohen et al., *Active learning on a
budget*, ICML 2022).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor

from pixda.data.files import read_image
from pixda.models.segmenter import Segmenter

_GRID = 4  # the prediction is pooled to 4 x 4 cells: what is where in the picture
_AT_ONCE = 256  # candidates whose distances to all frames are held


@dataclass(frozen=True, eq=False)
class Candidate:
    """What the network says of one frame."""

    name: str
    city: str
    uncertainty: float
    """Mean entropy of the softmax over all pixels, over its largest value log C: 0..1."""
    descriptor: Tensor
    """Float (D,): the pooled prediction and the pooled features, each of length 1."""


@dataclass(frozen=True)
class Choice:
    """One frame to label, in the order of choice."""

    name: str
    city: str
    uncertainty: float
    distance: float | None
    """To the nearest frame chosen or labelled before, 0..2; None for the very first."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One image as shown to the network, and what comes out."""

    image: Image.Image
    probabilities: Tensor
    """Softmax, C x h x w, on the CPU."""
    features: Tensor
    """Mean of the deepest features over all places, (F,), on the CPU."""


@torch.no_grad()
def see(segmenter: Segmenter, path: Path, size: tuple[int, int], fabric: Fabric) -> Seen:
    """Show an image to a network in eval mode, at ``size`` (width, height). Raises UserError if it cannot be read."""
    image = read_image(path).resize(size, Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(fabric.device).float()
    outputs: list[Any] = []
    hook = segmenter.features().register_forward_hook(lambda module, given, features: outputs.append(features))
    with fabric.autocast():
        probabilities = segmenter(pixels).float().softmax(1)[0].cpu()
    hook.remove()
    deepest: Tensor = outputs[0] if isinstance(outputs[0], Tensor) else outputs[0][-1]
    return Seen(image, probabilities, deepest.float().mean((0, 2, 3)).cpu())


def describe(name: str, city: str, seen: Seen) -> Candidate:
    """A frame as a candidate for labelling."""
    layout = F.adaptive_avg_pool2d(seen.probabilities, _GRID).flatten()
    descriptor = torch.cat([F.normalize(layout, dim=0), F.normalize(seen.features, dim=0)])
    return Candidate(name, city, float(entropy(seen.probabilities).mean()), descriptor)


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of each pixel over log C, 0..1: ``C x h x w`` -> ``h x w``."""
    sums: Tensor = torch.special.entr(probabilities).sum(0)
    return sums / math.log(max(len(probabilities), 2))


def choose(candidates: Sequence[Candidate], count: int, known: Sequence[Tensor] = ()) -> list[Choice]:
    """Greedy choice, the same for any order of the candidates.

    Each turn goes to the cities that have given the fewest so far, and takes from them the frame that brings the mean
    distance of all candidates to the nearest chosen frame down most: typical frames first, none twice. Between equals
    the first name in the order of the alphabet.

    Args:
        candidates: at least ``count``.
        count: number of choices.
        known: descriptors of frames that are labelled already.
    """
    frames = sorted(candidates, key=lambda one: one.name)
    descriptors = torch.stack([one.descriptor for one in frames])
    nearest = torch.full((len(frames),), math.inf)
    for centre in known:
        nearest = torch.minimum(nearest, (descriptors - centre).norm(dim=1))
    left = set(range(len(frames)))
    given: Counter[str] = Counter({one.city: 0 for one in frames})
    chosen: list[Choice] = []
    while left and len(chosen) < count:
        fewest = min(given[frames[place].city] for place in left)
        in_turn = torch.tensor(sorted(place for place in left if given[frames[place].city] == fewest))
        best = int(in_turn[_mean_distances(descriptors, nearest, in_turn).argmin()])
        one, distance = frames[best], float(nearest[best])
        left.remove(best)
        given[one.city] += 1
        chosen.append(Choice(one.name, one.city, one.uncertainty, distance if chosen or known else None))
        nearest = torch.minimum(nearest, (descriptors - descriptors[best]).norm(dim=1))
    return chosen


def _mean_distances(descriptors: Tensor, nearest: Tensor, places: Tensor) -> Tensor:
    """For each of these places, the mean distance to the nearest chosen frame if that one were chosen, too."""
    parts = [
        torch.minimum(nearest[:, None], torch.cdist(descriptors, descriptors[some])).double().mean(0)
        for some in torch.split(places, _AT_ONCE)
    ]
    return torch.cat(parts)
