"""PixDA from Python, and from a notebook: train, read the scores, load the model, predict, look.

world = StreetOptions(count=400, gap=0.3, size=(320, 240))
experiment = Experiment(
    source=Data("streets", Path("runs/world"), "rendered", streets=world),
    target=Target("streets", Path("runs/world"), "camera-train", streets=world, test_split="camera-val"),
    size=(320, 240),
    network=Network("mobile_deeplab", {"frozen_blocks": 0, "frozen_statistics": False}),
)
run = train(experiment, "pixda", "runs/first", preset="demo")
print_scores({"PixDA": read_scores(run)})
model = load(run)
model.show("photo.jpg", model.predict("photo.jpg"))
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from pixda.config import Experiment, Machine, Network
from pixda.data.classes import ClassSet
from pixda.data.config import Data, StreetOptions, Target
from pixda.data.open import open_dataset
from pixda.errors import UserError
from pixda.export.sharing import found, push, save_shared
from pixda.machine.devices import make_fabric
from pixda.methods import build
from pixda.metrics import Scores
from pixda.models.own import ARCHITECTURE, as_segmenter
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.phases.settings import (
    Alignment,
    DiscriminatorOptimiser,
    DistillationSettings,
    SegmentationLoss,
    SegmenterOptimiser,
    Selection,
)
from pixda.predict.inputs import load_image
from pixda.predict.network import Predictor
from pixda.report import print_scores
from pixda.training.experiment import run

__all__ = [
    "Alignment",
    "ClassSet",
    "Data",
    "DiscriminatorOptimiser",
    "DistillationSettings",
    "Experiment",
    "LabelledFrame",
    "Machine",
    "Model",
    "Network",
    "Scores",
    "SegmentationLoss",
    "SegmenterOptimiser",
    "Selection",
    "StreetOptions",
    "Target",
    "UserError",
    "build",
    "frame",
    "load",
    "print_scores",
    "read_scores",
    "show",
    "train",
]

_GAP = 4  # white pixels between pictures


def train(
    experiment: Experiment,
    method: str,
    out: str | Path,
    preset: str = "paper",
    resume: bool = False,
    network: nn.Module | None = None,
    normalisation: str = "imagenet",
    new_layers: tuple[str, ...] = (),
    **changes: Any,
) -> Path:
    """Train a method, keep its model in a folder, and score it once on the target's test split.

    Args:
        experiment: data, network, seed, machine.
        method: source_only, fine_tuning, joint, pixda, or another of ``pixda.methods.METHODS``.
        out: the run's folder.
        preset: the values that the method's settings begin from: paper, official, small, laptop,
            one_gpu or demo.
        resume: go on with the run that is in ``out``; without one there, begin.
        network: a module of your own in place of ``experiment.network``, copied: images ``B x 3 x H x W`` in, logits
            ``B x C x h x w`` of the class set out, at any stride; or a ``Segmenter``.
            It is needed again to load the model or to resume the run.
        normalisation: what the module's images are scaled to: imagenet (mean and deviation), symmetric (-1..1), or
            caffe (BGR, mean).
        new_layers: beginnings of the names of its layers that learn as new ones do, ten times faster.
        changes: settings that shall differ from the preset's, such as ``pretrain_steps=100``; a group is given as a
            whole, such as ``distillation=DistillationSettings(steps=20)``.

    Returns:
        ``out``: for ``load``, ``read_scores``, and ``Experiment.start_from`` of further runs.

    Raises:
        UserError: wrong input, found before training starts; or a stop that was asked for.
    """
    out = Path(out)
    recipe = build(method, preset, **changes)
    if not resume and (out / "checkpoint.pt").exists():
        raise UserError(f"{out} holds a run already; give resume=True to go on with it, or choose another folder.")
    if network is None:
        run(experiment, recipe, method, preset, out, resume)
    else:
        experiment = replace(experiment, network=Network(ARCHITECTURE))
        own = partial(as_segmenter, network, normalisation=normalisation, new=new_layers)
        run(experiment, recipe, method, preset, out, resume, own=own)
    return out


def read_scores(run: str | Path) -> Scores:
    """The scores of a finished run; ``print_scores`` makes a table of several. Raises UserError without any."""
    path = Path(run) / "scores.json"
    if not path.is_file():
        raise UserError(f"There is no {path}: name the folder of a run that has finished.")
    return Scores.load(path)


class Model:
    """A trained network for prediction.

    Attributes:
        classes: names, colours and protocols, in the order of the indices that ``predict`` gives.
    """

    def __init__(
        self, segmenter: Segmenter, predictor: Predictor, made: Mapping[str, Any], run: Path | None = None
    ) -> None:
        self.classes = segmenter.classes
        self._segmenter, self._predictor = segmenter, predictor
        self._made, self._run = made, run

    def predict(self, image: np.ndarray | str | Path) -> np.ndarray:
        """Class indices of one image.

        Args:
            image: uint8 ``H x W x 3``, RGB; or the path of an image file.

        Returns:
            uint8 ``H x W``, at the image's own size.

        Raises:
            UserError: the file cannot be decoded, or the array is no such image.
        """
        pixels = torch.from_numpy(_pixels(image).copy()).permute(2, 0, 1)
        return self._predictor([pixels])[0].classes

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder that ``load`` takes, with scores, list of shots and a card (README.md).

        Of the paths in its account only the last names stay. Raises UserError where it cannot be written.
        """
        return save_shared(Path(folder), self._segmenter, self._made, self._run)

    def push_to_hub(self, name: str, private: bool = False) -> str:
        """Put what ``save`` writes on Hugging Face's hub.

        Args:
            name: "user/name"; the repository is made where there is none.
            private: whether a new repository is for its owner alone.

        Returns:
            Its address.

        Raises:
            UserError: huggingface_hub is not installed (``pip install 'pixda[hf]'``), nobody is logged in, or the hub
                refuses or cannot be reached.
        """
        return push(name, self._segmenter, self._made, self._run, private)

    def show(self, picture: np.ndarray | str | Path, *more: np.ndarray | str | Path) -> Image.Image:
        """Images and class indices side by side, as ``show`` does, in the colours of the model's classes."""
        return show(picture, *more, classes=self.classes)


def load(
    run: str | Path,
    size: tuple[int, int] | None = None,
    network: nn.Module | None = None,
    normalisation: str = "imagenet",
    revision: str | None = None,
) -> Model:
    """A finished run's model, or one that was shared, on the GPU if there is one.

    Args:
        run: the run's folder, one that ``Model.save`` has written, or a ``model.safetensors``; or, where there is
            no such path, the "user/name" of a model on Hugging Face's hub.
        size: (width, height) for the network; None is the size it was trained at.
        network, normalisation: as they were given to ``train``, where a network was.
        revision: of a model on the hub: a branch, a tag or a commit; None is its latest.

    Raises:
        UserError: there is no such model, or it cannot be read; or it needs its module.
    """
    own = None if network is None else partial(as_segmenter, network, normalisation=normalisation)
    path = found(run, revision)
    segmenter, made = load_model(path, own)
    width, height = size or made["config"]["size"]
    predictor = Predictor(segmenter, make_fabric(Machine()), (width, height))
    return Model(segmenter, predictor, made, path if path.is_dir() else path.parent)


class LabelledFrame(NamedTuple):
    """A labelled frame, as it is stored."""

    name: str
    image: np.ndarray
    """uint8 ``H x W x 3``, RGB."""
    truth: np.ndarray
    """uint8 ``H x W``, class indices; 255 has no label."""


def frame(data: Data, number: int = 0, classes: str | Path = "cityscapes-19") -> LabelledFrame:
    """One frame of a set of data, to look at.

    Args:
        data: the set; of a target, the split that is learned from.
        number: from 0, in the order of the names.
        classes: name or file of the class set.
    """
    dataset = open_dataset(data, ClassSet.load(classes))
    if not 0 <= number < len(dataset):
        raise UserError(f"There is no frame {number} in {data.root}, split '{data.split}': it has {len(dataset)}.")
    sample = dataset[number]
    return LabelledFrame(sample.name, sample.image.permute(1, 2, 0).numpy(), sample.mask.numpy())


def show(
    picture: np.ndarray | str | Path, *more: np.ndarray | str | Path, classes: ClassSet | str | Path = "cityscapes-19"
) -> Image.Image:
    """Images and class indices side by side in one picture, which a notebook draws where it is a cell's last value.

    Args:
        picture: an image (uint8 ``H x W x 3``, RGB, or a path), or class indices (uint8 ``H x W``), which are
            coloured; what is no class is black.
        more: others of the same height, to its right.
        classes: whose colours: a class set, its name or its file.
    """
    palette = (classes if isinstance(classes, ClassSet) else ClassSet.load(classes)).palette()
    shown = [_coloured(one, palette) for one in (picture, *more)]
    heights = [one.shape[0] for one in shown]
    if len(set(heights)) > 1:
        raise UserError(f"Pictures side by side need one height, not {', '.join(map(str, heights))} pixels.")
    gap = np.full((heights[0], _GAP, 3), 255, np.uint8)
    return Image.fromarray(np.hstack([part for one in shown for part in (gap, one)][1:]))


def _coloured(picture: np.ndarray | str | Path, palette: np.ndarray) -> np.ndarray:
    """An image as it is, class indices in their colours: uint8 ``H x W x 3``."""
    if not isinstance(picture, np.ndarray) or picture.ndim != 2:
        return _pixels(picture)
    if picture.dtype != np.uint8:
        raise UserError(f"Class indices are uint8 H x W, not {picture.dtype}.")
    coloured: np.ndarray = palette[picture]
    return coloured


def _pixels(image: np.ndarray | str | Path) -> np.ndarray:
    """An image, or the file of one, as uint8 ``H x W x 3``."""
    if not isinstance(image, np.ndarray):
        return load_image(Path(image)).permute(1, 2, 0).numpy()
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"An image is uint8 H x W x 3 (RGB), not {image.dtype} {' x '.join(map(str, image.shape))}.")
    return image
