"""Semantic-segmentation models of Hugging Face transformers as segmenters."""

import copy
import json
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.huggingface_files import (
    config_from_dict,
    first_line,
    for_classes,
    pretrained_model,
    random_model,
    read_config,
    read_scale,
    scale_from_dict,
    scale_from_processor,
)
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter
from pixda.models.weights import LoadReport

SQUARE = ("dpt", "data2vec-vision")  # their code takes the patches for a square grid

PROBE = 64  # pixels a side of the image that finds idle parameters


class HuggingFace(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w, at the stride of the model within.

    SegFormer answers at 1/4 of the image, UperNet at the image's own size, MobileViT at 1/32 or 1/16. Models that
    only take square images (DPT, Data2Vec) get every image squeezed to the size of their configuration, bilinearly,
    much as their own preprocessing does; their logits then cover the whole image in a square.

    `backbone` is what the model names as its base; `head` is all the rest, by its names. Auxiliary heads are left
    out. Parameters that no logit depends on (a last norm whose output is not used, say) are frozen.
    """

    def __init__(self, model: nn.Module, classes: ClassSet, scale: Scale) -> None:
        base = getattr(model, "base_model_prefix", "") or "backbone"
        parts = dict(model.named_children())
        if base not in parts or next(model.parameters(recurse=False), None) is not None:
            raise UserError(
                f"{type(model).__name__} cannot be divided into a backbone and a head, which learn at different "
                "rates: choose another model."
            )
        backbone = parts.pop(base)
        super().__init__(backbone, nn.ModuleDict(parts), classes, scale)
        # Whole, for its own forward pass, but hidden in a tuple: its parts are registered above, once.
        self._whole = (model,)
        self._base = base
        self._side = _only_side(model.config)
        self._rest_idle_parameters()

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w."""
        images = self.normalise(images)
        if self._side is not None and images.shape[-2:] != (self._side, self._side):
            side = (self._side, self._side)
            images = F.interpolate(images, size=side, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = self._whole[0](pixel_values=images).logits
        return logits

    def train(self, mode: bool = True) -> Self:
        """Enter training or evaluation mode, the model as a whole too."""
        self._whole[0].train(mode)
        return super().train(mode)

    @torch.no_grad()
    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Try a copy: models have grids, windows and batch statistics of many kinds."""
        trial, count = copy.deepcopy(self), min(batch, 2)  # two stand for more
        for (width, height), training, images in ((crop, True, count), (whole, False, 1)):
            try:
                trial.train(training)(torch.zeros(images, 3, height, width))
            except Exception as error:  # whatever the code of a model raises
                what = f"be trained on batches of {batch}" if training else "judge whole"
                raise UserError(
                    f"{type(self._whole[0]).__name__} cannot {what} images of {width} x {height} pixels "
                    f"({first_line(error)}): take multiples of 32 for --size and --recipe.crop, not too small, and "
                    "--recipe.batch 2 or more."
                ) from error

    def name_of(self, key: str) -> str:
        """The segmenter's name of a tensor that the model knows as `key`."""
        base = f"{self._base}."
        return f"backbone.{key.removeprefix(base)}" if key.startswith(base) else f"head.{key}"

    def _rest_idle_parameters(self) -> None:
        """Freeze what gets no gradient: nothing would train it, and several processes would wait for it."""
        training = self.training
        try:
            self.eval()(torch.zeros(1, 3, PROBE, PROBE)).sum().backward()
        except Exception as error:  # whatever the code of a model raises
            raise UserError(
                f"{type(self._whole[0]).__name__} cannot be run on an image of {PROBE} x {PROBE} pixels "
                f"({first_line(error)}): choose another model, or correct its config."
            ) from error
        for parameter in self.parameters():
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
        self.train(training)


def huggingface(
    classes: ClassSet,
    name: str | None = None,
    pretrained: bool = True,
    config: dict[str, Any] | None = None,
    normalisation: dict[str, Any] | None = None,
    revision: str | None = None,
) -> HuggingFace:
    """Any model that transformers' AutoModelForSemanticSegmentation knows, with a head for `classes`.

    name: a folder with config.json and model.safetensors, or the name of a model on Hugging Face's hub.
    pretrained: take its weights too; False takes its configuration only. The last layer is new wherever its
        number of classes is another. Weights are read from safetensors files only, and no code of a model's
        repository is ever run.
    config: instead of a name, a whole configuration (`model_type` and what differs from that type's defaults);
        the weights are then random.
    normalisation: {mean: [r, g, b], std: [r, g, b], bgr: false} on the 0..255 scale. By default that of the model's
        preprocessor_config.json, and ImageNet's where there is none.
    revision: of a name on the hub: a commit, a tag or a branch.
    """
    if (name is None) == (config is None):
        raise UserError(
            "The segmenter 'huggingface' needs one of two: network.options {name: FOLDER or a name on the hub}, or "
            "{config: {model_type: segformer, ...}} for random weights."
        )
    settings = read_config(name, revision) if name is not None else config_from_dict(config or {})
    trained_for = list(settings.id2label.values())
    for_classes(settings, classes)
    assumed = None
    if normalisation is not None:
        scale = scale_from_dict(normalisation)
    elif name is not None:
        scale, assumed = read_scale(name, revision)
    else:
        scale = scale_from_processor({})

    if name is None or not pretrained:
        segmenter = HuggingFace(random_model(settings), classes, scale)
        segmenter.origin = f"random weights ({settings.model_type})"
        if assumed:
            segmenter.origin += f"; {assumed}"
    else:
        model, random, unused = pretrained_model(name, settings, revision)
        segmenter = HuggingFace(model, classes, scale)
        segmenter.origin = str(_report(name, segmenter, random, unused, trained_for, assumed))
    about = settings.to_dict()
    about.pop("_name_or_path", None)
    segmenter.recipe = {
        "architecture": "huggingface",
        "config": json.loads(json.dumps(about)),
        "normalisation": {"mean": list(scale.mean), "std": list(scale.std), "bgr": scale.bgr},
    }
    return segmenter


def _report(
    name: str, segmenter: HuggingFace, random: list[str], unused: list[str], trained_for: list[str], assumed: str | None
) -> LoadReport:
    """What was loaded, in names of the segmenter; `UserError` if that is nothing of the backbone."""
    left = [segmenter.name_of(key) for key in random]
    names = [key for key in segmenter.state_dict() if not key.startswith("normalise.")]
    loaded = [key for key in names if key not in left]
    of_backbone = [key for key in names if key.startswith("backbone.")]
    missing = [key for key in of_backbone if key in left]
    if len(missing) == len(of_backbone):
        raise UserError(f"The weights of '{name}' have nothing for its backbone: they are of another model.")
    notes = [assumed] if assumed else []
    if missing:
        notes.append(f"{len(missing)} of the backbone's {len(of_backbone)} tensors are not in the file")
    classes = segmenter.classes.names
    if len(trained_for) == len(classes) and [str(one).lower() for one in trained_for] != [c.lower() for c in classes]:
        notes.append(f"its last layer was trained for other classes: {', '.join(map(str, trained_for[:3]))}, ...")
    return LoadReport(name, loaded, unused, left, notes)


def _only_side(config: Any) -> int | None:
    """Pixels a side of the only images a model takes; None for one that takes many sizes."""
    return int(config.image_size) if config.model_type in SQUARE else None
