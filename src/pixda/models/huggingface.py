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
    one_sentence,
    pretrained_model,
    random_model,
    read_config,
    read_scale,
    scale_from_dict,
    scale_from_preprocessing,
    set_classes,
)
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter
from pixda.models.weights import LoadReport

SQUARE_ONLY = ("dpt", "data2vec-vision")  # their code assumes that the patches form a square grid
PROBE = 64  # pixels a side of the image that is tried when a model is built


class HuggingFace(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w, at the stride of the model within.

    SegFormer answers at 1/4 of the image, UperNet at the image's own size, MobileViT at 1/32 or 1/16. Models that
    take square images only (DPT, Data2Vec) get each image resized to the square of their configuration, much as
    their own preprocessing does; their logits are a square that covers the whole image.

    `backbone` is what the model declares as its base (`base_model_prefix`), `head` is everything else. Auxiliary
    heads are left out. Parameters that do not influence the logits (the norm of an unused output, say) are frozen.
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
        # The model's own forward pass needs it whole. In a tuple it is not registered, since its parts already are.
        self._whole = (model,)
        self._base = base
        config: Any = model.config
        self._side = int(config.image_size) if config.model_type in SQUARE_ONLY else None
        self._freeze_unused_parameters()

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w."""
        images = self.normalise(images)
        if self._side is not None and images.shape[-2:] != (self._side, self._side):
            square = (self._side, self._side)
            images = F.interpolate(images, size=square, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = self._whole[0](pixel_values=images).logits
        return logits

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode, of the whole model too."""
        self._whole[0].train(mode)
        return super().train(mode)

    @torch.no_grad()
    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Run a copy on blank images, since models differ in the sizes and batches that they take."""
        trial, name = copy.deepcopy(self), type(self._whole[0]).__name__
        advice = "take multiples of 32 for --size and --recipe.crop, not too small, and --recipe.batch 2 or more"
        (width, height), count = crop, min(batch, 2)  # two images show what more would
        what = f"be trained on batches of {batch} images of {width} x {height} pixels"
        with one_sentence(f"{name} cannot {what}", advice):
            trial.train()(torch.zeros(count, 3, height, width))
        width, height = whole
        with one_sentence(f"{name} cannot judge whole images of {width} x {height} pixels", advice):
            trial.eval()(torch.zeros(1, 3, height, width))

    def name_of(self, key: str) -> str:
        """The segmenter's name of a tensor that the model knows as `key`."""
        base = f"{self._base}."
        return f"backbone.{key.removeprefix(base)}" if key.startswith(base) else f"head.{key}"

    def _freeze_unused_parameters(self) -> None:
        """Freeze parameters without a gradient: several processes would wait for their gradients for ever."""
        training = self.training
        what = f"{type(self._whole[0]).__name__} cannot be run on an image of {PROBE} x {PROBE} pixels"
        with one_sentence(what, "choose another model, or correct its config"):
            self.eval()(torch.zeros(1, 3, PROBE, PROBE)).sum().backward()
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
    pretrained: False takes the configuration of the named model and random weights. With True its weights are
        loaded, except for a last layer with another number of classes. Only safetensors files are read, and no
        code from the model's repository is run.
    config: instead of a name, a configuration: `model_type` and what differs from that type's defaults. The
        weights are random.
    normalisation: {mean: [r, g, b], std: [r, g, b], bgr: false} for images of 0..255. The default is that of the
        model's preprocessor_config.json, or ImageNet's if it has none.
    revision: of a model on the hub: a commit, a tag or a branch.
    """
    if name is not None and config is None:
        settings = read_config(name, revision)
    elif config is not None and name is None:
        settings = config_from_dict(config)
    else:
        raise UserError(
            "The segmenter 'huggingface' needs one of two: network.options {name: FOLDER or a name on the hub}, or "
            "{config: {model_type: segformer, ...}} for random weights."
        )
    trained_for = [str(label) for label in settings.id2label.values()]
    set_classes(settings, classes)

    assumed = None
    if normalisation is not None:
        scale = scale_from_dict(normalisation)
    elif name is not None:
        scale, assumed = read_scale(name, revision)
    else:
        scale = scale_from_preprocessing({})
    notes = [assumed] if assumed else []

    if name is not None and pretrained:
        model, random, unused = pretrained_model(name, settings, revision)
        segmenter = HuggingFace(model, classes, scale)
        segmenter.origin = str(_report(name, segmenter, random, unused, trained_for, notes))
    else:
        segmenter = HuggingFace(random_model(settings), classes, scale)
        segmenter.origin = "; ".join([f"random weights ({settings.model_type})", *notes])
    # A saved model is built from its whole configuration, without the folder or the hub.
    written = settings.to_dict()
    written.pop("_name_or_path", None)
    segmenter.recipe = {
        "architecture": "huggingface",
        "config": json.loads(json.dumps(written)),
        "normalisation": {"mean": list(scale.mean), "std": list(scale.std), "bgr": scale.bgr},
    }
    return segmenter


def _report(
    name: str, segmenter: HuggingFace, random: list[str], unused: list[str], trained_for: list[str], notes: list[str]
) -> LoadReport:
    """What was loaded, in names of the segmenter; `UserError` if no part of the backbone was."""
    left = [segmenter.name_of(key) for key in random]
    names = [key for key in segmenter.state_dict() if not key.startswith("normalise.")]
    backbone = [key for key in names if key.startswith("backbone.")]
    missing = [key for key in backbone if key in left]
    if len(missing) == len(backbone):
        raise UserError(f"The weights of '{name}' have nothing for its backbone: they are of another model.")
    if missing:
        notes = [*notes, f"{len(missing)} of the backbone's {len(backbone)} tensors are not in the file"]
    classes = [one.lower() for one in segmenter.classes.names]
    if len(trained_for) == len(classes) and [label.lower() for label in trained_for] != classes:
        notes = [*notes, f"its last layer was trained for other classes: {', '.join(trained_for[:3])}, ..."]
    return LoadReport(name, [key for key in names if key not in left], unused, left, notes)
