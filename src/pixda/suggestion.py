"""Which unlabelled target frames to label next: typical ones, unlike each other, from all cities."""

import csv
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

from pixda.config import Machine
from pixda.data.files import IMAGE_SUFFIXES, read_image
from pixda.data.search import Search
from pixda.data.shots import read_manifest, write_manifest
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.sheet import colourise, sheet
from pixda.watch.progress import Display

_GRID = 4  # the prediction is pooled to 4 x 4 cells: what is where in the picture
_THUMBNAIL = (320, 240)
_HOW = "pixda suggest: greedy k-medoids of prediction and features, cities in turn"
_AT_ONCE = 256  # candidates whose distances to all frames are held


class Candidate:
    """What the network says of one frame."""

    def __init__(self, name: str, path: Path, uncertainty: float, descriptor: Tensor) -> None:
        self.name, self.path = name, path
        self.city = name.rpartition("/")[0] or "all"
        self.uncertainty = uncertainty
        """Mean entropy of the softmax over all pixels, over its largest value log C: 0..1."""
        self.descriptor = descriptor
        """Float (D,): the pooled prediction and the pooled features, each of length 1."""


@dataclass(frozen=True)
class Choice:
    """One frame to label, in the order of choice."""

    name: str
    city: str
    path: Path
    uncertainty: float
    distance: float | None
    """To the nearest frame chosen or labelled before, 0..2; None for the very first."""


def suggest(model: Path, images: Path, count: int, out: Path) -> list[Choice]:
    """Choose frames to label, and leave a to-do list in ``out``.

    Leaves ``to_label.csv``, ``to_label.json`` (a manifest for ``--target.shot_list`` once the masks are there),
    ``thumbnails/`` and ``sheet.jpg`` with image, prediction and uncertainty. Frames in the run's ``shots.json``
    are not suggested; those of them that are among the images count as chosen before.

    Args:
        model: folder of a finished run.
        images: folder of images, or of folders of images, one for each city; or one that holds them in images/.
        count: number of frames.
        out: new or empty folder for the list.

    Raises:
        UserError: no model, no images, or fewer that can be read than asked for.
    """
    images = images / "images" if (images / "images").is_dir() else images
    search = Search()
    files = search.files_by_city(images, IMAGE_SUFFIXES)
    labelled = _labelled(model)
    free = files.keys() - labelled
    if not 1 <= count <= len(free):
        raise UserError(
            f"{count} frames were asked for; {images} has {len(free)} that are not labelled yet "
            f"{' '.join(['(pictures right in it, or in a folder for each city).', *search.account])}"
        )
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another --out, so that two lists are not mixed up.")
    segmenter, made = load_model(model)
    width, height = made["config"]["size"]
    fabric = make_fabric(Machine())
    segmenter = segmenter.to(fabric.device).eval()
    with Display([], model.name) as display:
        for text in search.account:
            display.say(text)
        looked: dict[str, Candidate] = {}
        for done, (name, path) in enumerate(sorted(files.items()), start=1):
            try:
                looked[name] = _look(segmenter, name, path, (width, height), fabric)
            except UserError as error:
                display.say(f"{error} It is left out.")
            display.count("looking", done, len(files))
        if count > len(free & looked.keys()):
            raise UserError(f"{count} frames were asked for, and {len(free & looked.keys())} of {images} can be read.")
    known = [looked[name].descriptor for name in sorted(labelled & looked.keys())]
    chosen = choose([looked[name] for name in sorted(free & looked.keys())], count, known)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, chosen)
    _draw(out, chosen, segmenter, (width, height), fabric)
    return chosen


def choose(candidates: Sequence[Candidate], count: int, known: Sequence[Tensor] = ()) -> list[Choice]:
    """Greedy choice, the same for any order of the candidates.

    Each turn goes to the cities that have given the fewest so far, and takes from them the frame that brings the mean
    distance of all candidates to the nearest chosen frame down most (greedy k-medoids): typical frames first, none
    twice. Between equals the first name in the order of the alphabet. Uncertain frames are not preferred: with
    so few labels the network learns more from typical ones (Hacohen et al., *Active learning on a budget*, ICML 2022).

    Args:
        candidates: at least ``count``.
        count: number of choices.
        known: descriptors of frames that are labelled already.
    """
    frames = sorted(candidates, key=lambda one: one.name)
    descriptors = torch.stack([one.descriptor for one in frames])
    nearest = torch.full((len(frames),), math.inf)
    for centre in known:
        nearest = torch.minimum(nearest, _distances(descriptors, centre))
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
        chosen.append(Choice(one.name, one.city, one.path, one.uncertainty, distance if chosen or known else None))
        nearest = torch.minimum(nearest, _distances(descriptors, descriptors[best]))
    return chosen


def _mean_distances(descriptors: Tensor, nearest: Tensor, places: Tensor) -> Tensor:
    """For each of these places, the mean distance to the nearest chosen frame if that one were chosen, too."""
    parts = [
        torch.minimum(nearest[:, None], torch.cdist(descriptors, descriptors[some])).double().mean(0)
        for some in torch.split(places, _AT_ONCE)
    ]
    return torch.cat(parts)


def _distances(descriptors: Tensor, centre: Tensor) -> Tensor:
    """Euclidean distance of each row of ``N x D`` to a centre ``D``."""
    distances: Tensor = (descriptors - centre).norm(dim=1)
    return distances


def _labelled(model: Path) -> set[str]:
    """Names in the run's shots.json; none where there is no such file."""
    path = (model if model.is_dir() else model.parent) / "shots.json"
    return set(read_manifest(path).names) if path.is_file() else set()


@torch.no_grad()
def _probabilities(
    segmenter: Segmenter, path: Path, size: tuple[int, int], fabric: Fabric
) -> tuple[Image.Image, Tensor, Tensor]:
    """The image as shown to the network, its softmax map C x h x w, and the pooled features (F,), on the CPU."""
    image = read_image(path).resize(size, Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(fabric.device).float()
    seen: list[Any] = []
    hook = segmenter.features().register_forward_hook(lambda module, given, features: seen.append(features))
    with fabric.autocast():
        probabilities = segmenter(pixels).float().softmax(1)[0].cpu()
    hook.remove()
    deepest: Tensor = seen[0] if isinstance(seen[0], Tensor) else seen[0][-1]
    return image, probabilities, deepest.float().mean((0, 2, 3)).cpu()


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of each pixel over log C, 0..1: ``C x h x w`` -> ``h x w``."""
    sums: Tensor = torch.special.entr(probabilities).sum(0)
    return sums / math.log(max(len(probabilities), 2))


def _look(segmenter: Segmenter, name: str, path: Path, size: tuple[int, int], fabric: Fabric) -> Candidate:
    _, probabilities, features = _probabilities(segmenter, path, size, fabric)
    layout = F.adaptive_avg_pool2d(probabilities, _GRID).flatten()
    descriptor = torch.cat([F.normalize(layout, dim=0), F.normalize(features, dim=0)])
    return Candidate(name, path, float(entropy(probabilities).mean()), descriptor)


def _write(out: Path, chosen: Sequence[Choice]) -> None:
    with (out / "to_label.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "name", "city", "file", "uncertainty", "distance"])
        for rank, one in enumerate(chosen, start=1):
            distance = "" if one.distance is None else f"{one.distance:.4f}"
            writer.writerow([rank, one.name, one.city, one.path, f"{one.uncertainty:.4f}", distance])
    write_manifest(out / "to_label.json", [one.name for one in chosen], _HOW)


def _draw(out: Path, chosen: Sequence[Choice], segmenter: Segmenter, size: tuple[int, int], fabric: Fabric) -> None:
    """A thumbnail of each frame, and a sheet of all: image, prediction, uncertainty (white: every class as likely)."""
    (out / "thumbnails").mkdir()
    rows: list[list[Image.Image]] = []
    sides: list[str] = []
    for rank, one in enumerate(chosen, start=1):
        image, probabilities, _ = _probabilities(segmenter, one.path, size, fabric)
        grey = Image.fromarray((255 * entropy(probabilities)).byte().numpy()).convert("RGB")
        rows.append([image, colourise(probabilities.argmax(0), segmenter.classes), grey])
        sides.append(f"{rank}  {one.city[-14:]}\n{one.name.rpartition('/')[2][-16:]}\n{one.uncertainty:.3f}")
        thumbnail = image.copy()
        thumbnail.thumbnail(_THUMBNAIL)
        thumbnail.save(
            out / "thumbnails" / f"{rank:03}_{one.name.replace('/', '_')[-60:]}.jpg"
        )  # 60: no name is too long
    sheet(rows, ["image", "prediction", "uncertainty"], sides).save(out / "sheet.jpg")
