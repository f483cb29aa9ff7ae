"""Semantic-segmentation models of Hugging Face transformers as segmenters.

No code from a model's repository is run, and weights are read from safetensors files only.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter
from pixda.models.weights import LoadReport
from pixda.reading import one_line

SQUARE_ONLY = ("dpt", "data2vec-vision")  # their code assumes that the patches form a square grid
PROBE = 64  # pixels a side of the image that is tried when a model is built
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


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
            images = F.interpolate(images, size=(self._side, self._side), mode="bilinear", antialias=True)
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
        what = f"be trained on batches of {batch} images of {crop[0]} x {crop[1]} pixels"
        with _one_sentence(f"{name} cannot {what}", advice):
            trial.train()(torch.zeros(min(batch, 2), 3, crop[1], crop[0]))  # two images show what more would
        with _one_sentence(f"{name} cannot judge whole images of {whole[0]} x {whole[1]} pixels", advice):
            trial.eval()(torch.zeros(1, 3, whole[1], whole[0]))

    def name_of(self, key: str) -> str:
        """The segmenter's name of a tensor that the model knows as `key`."""
        first, _, rest = key.partition(".")
        return f"backbone.{rest}" if first == self._base else f"head.{key}"

    def _freeze_unused_parameters(self) -> None:
        """Freeze parameters without a gradient: several processes would wait for their gradients for ever."""
        training = self.training
        what = f"{type(self._whole[0]).__name__} cannot be run on an image of {PROBE} x {PROBE} pixels"
        with _one_sentence(what, "choose another model, or correct its config"):
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
    if (name is None) == (config is None):
        raise UserError(
            "The segmenter 'huggingface' needs one of two: network.options {name: FOLDER or a name on the hub}, or "
            "{config: {model_type: segformer, ...}} for random weights."
        )
    with _transformers() as transformers:
        if name is not None:
            settings = _named_config(transformers, name, revision)
        else:
            settings = _given_config(transformers, config or {})
        _check_config(settings)
        trained_for = [str(label) for label in settings.id2label.values()]
        settings.id2label = dict(enumerate(classes.names))
        settings.label2id = {label: index for index, label in enumerate(classes.names)}
        if hasattr(settings, "use_auxiliary_head"):  # nothing here trains one
            settings.use_auxiliary_head = False

        notes: list[str] = []
        if normalisation is not None:
            scale = scale_from_dict(normalisation)
        elif name is not None:
            scale, notes = read_scale(name, revision)
        else:
            scale, _ = _scale_from_preprocessing({})

        auto = transformers.AutoModelForSemanticSegmentation
        if name is not None and pretrained:
            with _one_sentence(
                f"The weights of '{name}' could not be read",
                "they must be in safetensors files (PyTorch's pickles are not opened); pretrained: false starts from "
                "random weights",
            ):
                model, info = auto.from_pretrained(
                    _place(name),
                    revision=revision or "main",
                    config=settings,
                    ignore_mismatched_sizes=True,
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype=torch.float32,
                    trust_remote_code=False,
                )
            segmenter = HuggingFace(model, classes, scale)
            segmenter.origin = str(_report(name, segmenter, info, trained_for, notes))
        else:
            with _one_sentence(f"No {settings.model_type} model can be built from this config", "correct it"):
                model = auto.from_config(settings, dtype=torch.float32, trust_remote_code=False)
            segmenter = HuggingFace(model, classes, scale)
            segmenter.origin = "; ".join([f"random weights ({settings.model_type})", *notes])
    # A saved model is built from its whole configuration, without the folder or the hub.
    written = settings.to_dict()
    written.pop("_name_or_path", None)
    recipe = {"architecture": "huggingface", "config": written, "normalisation": scale._asdict()}
    segmenter.recipe = json.loads(json.dumps(recipe))
    return segmenter


def _report(
    name: str, segmenter: HuggingFace, info: dict[str, Any], trained_for: list[str], notes: list[str]
) -> LoadReport:
    """What was loaded, in names of the segmenter; `UserError` if no part of the backbone was."""
    of_another_shape = {key for key, *_ in info["mismatched_keys"]}
    left = [segmenter.name_of(key) for key in sorted({*info["missing_keys"]} | of_another_shape)]
    unused = sorted({*info["unexpected_keys"]} | of_another_shape)
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


def _named_config(transformers: Any, name: str, revision: str | None) -> Any:
    """The configuration of a folder with config.json, or of a model on the hub."""
    place = _place(name)
    advice = (
        "name a folder with config.json and model.safetensors, or a model on Hugging Face's hub while it can be reached"
    )
    with _one_sentence(f"No model '{name}' could be loaded", advice):
        return transformers.AutoConfig.from_pretrained(place, revision=revision or "main", trust_remote_code=False)


def _given_config(transformers: Any, values: dict[str, Any]) -> Any:
    """The configuration with this `model_type` and these values; all others are the defaults of the type."""
    if "model_type" not in values:
        raise UserError("The config of a Hugging Face model needs its model_type, such as segformer.")
    with _one_sentence("This config does not describe a Hugging Face model", "correct it"):
        # A config that transformers wrote names its version. Such a one may hold options of older versions.
        if "transformers_version" not in values:
            known = transformers.AutoConfig.for_model(values["model_type"]).to_dict()
            if unknown := [key for key in values if key not in known]:
                raise ValueError(f"the model type '{values['model_type']}' has no option '{', '.join(unknown)}'")
        return transformers.AutoConfig.for_model(**values)


def _check_config(config: Any) -> None:
    """Raise `UserError` unless the model segments RGB images and needs no code from the hub."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES as SEGMENTING

    for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
        if "/" in str(getattr(part, "_attn_implementation", "")):
            raise UserError(
                "The model's config asks for code from Hugging Face's hub (attn_implementation): remove it."
            )
    if config.model_type not in SEGMENTING:
        raise UserError(f"Models of the type '{config.model_type}' do not segment; these do: {', '.join(SEGMENTING)}.")
    channels = getattr(getattr(config, "backbone_config", None) or config, "num_channels", 3)
    if channels != 3:
        raise UserError(f"The model takes images of {channels} channels; PixDA gives it the three of RGB.")


def read_scale(name: str, revision: str | None = None) -> tuple[Scale, list[str]]:
    """The scale of a model's images, from its preprocessor_config.json; and a note if something was assumed."""
    from transformers.utils.hub import cached_file

    settings: dict[str, Any] = {}
    what = f"The scale of the images of '{name}' cannot be read from its preprocessor_config.json"
    with _one_sentence(what, "correct it, or give network.options a normalisation"):
        # Newer models keep it inside processor_config.json.
        for file in ("processor_config.json", "preprocessor_config.json"):
            path = cached_file(_place(name), file, revision=revision, _raise_exceptions_for_missing_entries=False)
            content = {} if path is None else json.loads(Path(path).read_text(encoding="utf-8"))
            settings = (content.get("image_processor") if file == "processor_config.json" else content) or {}
            if settings:
                break
        return _scale_from_preprocessing(settings)


def _scale_from_preprocessing(settings: dict[str, Any]) -> tuple[Scale, list[str]]:
    """The scale that a preprocessor_config.json describes, and a note if something was assumed.

    There an image is multiplied by `rescale_factor` before the mean is subtracted. Here images are 0..255, so mean and
    deviation are divided by that factor instead.
    """
    factor = 1.0 if settings.get("do_rescale") is False else settings.get("rescale_factor") or 1 / 255
    bgr = bool(settings.get("do_flip_channel_order"))
    mean, std = [0.0] * 3, [1.0] * 3
    notes: list[str] = []
    if settings.get("do_normalize") is not False and not bgr:  # models that turn RGB into BGR (MobileViT) subtract none
        mean, std = settings.get("image_mean") or IMAGENET_MEAN, settings.get("image_std") or IMAGENET_STD
        if not settings:
            notes = ["no preprocessor_config.json: ImageNet's mean and deviation are taken"]
        elif not (settings.get("image_mean") and settings.get("image_std")):
            notes = ["preprocessor_config.json has no mean or no deviation: ImageNet's are taken"]
    mean, std = [value / factor for value in mean], [value / factor for value in std]
    return scale_from_dict({"mean": mean, "std": std, "bgr": bgr}), notes


def scale_from_dict(values: dict[str, Any]) -> Scale:
    """A scale written as {mean: [3 numbers], std: [3 numbers], bgr: false}, for images of 0..255."""
    try:
        (a, b, c), (d, e, f) = ([float(value) for value in values[key]] for key in ("mean", "std"))
        if min(d, e, f) <= 0 or not values.keys() <= {"mean", "std", "bgr"}:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"The normalisation {values} cannot be used: write {{mean: [r, g, b], std: [r, g, b], bgr: false}} for "
            "images of 0..255, with deviations above zero."
        ) from None
    return Scale((a, b, c), (d, e, f), bool(values.get("bgr", False)))


def _place(name: str) -> str:
    """The folder of that name if there is one, else the name itself, for the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith((".", "~", "/")):
        raise UserError(f"There is no folder {name}: check the path.")
    return name


@contextmanager
def _one_sentence(what: str, advice: str) -> Iterator[None]:
    """Turn any error into `UserError`: transformers, its models and the hub's client raise many kinds."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{what} ({one_line(error)}): {advice}.") from error


@contextmanager
def _transformers() -> Iterator[Any]:
    """The package, with its own messages off: the segmenter's report says what was loaded."""
    try:
        import transformers
    except ImportError:
        raise UserError(
            "The segmenter 'huggingface' needs the package transformers: pip install 'pixda[hf]'."
        ) from None
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield transformers
    finally:
        transformers.logging.set_verbosity(level)
