"""What is read of a Hugging Face model, through transformers: configuration, weights, and the scale of its images.

No code from a model's repository is run, and weights are read from safetensors files only.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.normalise import Scale
from pixda.reading import one_line

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_config(name: str, revision: str | None) -> Any:
    """The configuration of a model: `name` is a folder with config.json, or a name on the hub."""
    place = _place(name)
    advice = (
        "name a folder with config.json and model.safetensors, or a model on Hugging Face's hub while it can be reached"
    )
    with _transformers() as transformers, one_sentence(f"No model '{name}' could be loaded", advice):
        config = transformers.AutoConfig.from_pretrained(place, revision=revision or "main", trust_remote_code=False)
    return _checked(config)


def config_from_dict(values: dict[str, Any]) -> Any:
    """The configuration with this `model_type` and these values; all others are the defaults of the type."""
    if "model_type" not in values:
        raise UserError("The config of a Hugging Face model needs its model_type, such as segformer.")
    what = "This config does not describe a Hugging Face model"
    with _transformers() as transformers, one_sentence(what, "correct it"):
        # A config that transformers wrote names its version. Such a one may hold options of older versions.
        if "transformers_version" not in values:
            known = transformers.AutoConfig.for_model(values["model_type"]).to_dict()
            if unknown := [key for key in values if key not in known]:
                raise ValueError(f"the model type '{values['model_type']}' has no option '{', '.join(unknown)}'")
        config = transformers.AutoConfig.for_model(**values)
    return _checked(config)


def _checked(config: Any) -> Any:
    """The configuration itself; `UserError` unless its model segments RGB images and needs no code from the hub."""
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
    return config


def set_classes(config: Any, classes: ClassSet) -> None:
    """Give a configuration a head for these classes, and no auxiliary head, since nothing here trains one."""
    config.id2label = dict(enumerate(classes.names))
    config.label2id = {label: index for index, label in enumerate(classes.names)}
    if hasattr(config, "use_auxiliary_head"):
        config.use_auxiliary_head = False


def random_model(config: Any) -> nn.Module:
    """The model of a configuration with random weights, float32."""
    what = f"No {config.model_type} model can be built from this config"
    with _transformers() as transformers, one_sentence(what, "correct it"):
        model: nn.Module = transformers.AutoModelForSemanticSegmentation.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
    return model


def pretrained_model(name: str, config: Any, revision: str | None) -> tuple[nn.Module, list[str], list[str]]:
    """The model with its weights, float32; its tensors that stay random; the tensors of the file that it lacks."""
    advice = (
        "they must be in safetensors files (PyTorch's pickles are not opened); pretrained: false starts from random "
        "weights"
    )
    with _transformers() as transformers, one_sentence(f"The weights of '{name}' could not be read", advice):
        model, info = transformers.AutoModelForSemanticSegmentation.from_pretrained(
            _place(name),
            revision=revision or "main",
            config=config,
            ignore_mismatched_sizes=True,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
            trust_remote_code=False,
        )
    of_another_shape = {key for key, *_ in info["mismatched_keys"]}
    random = {*info["missing_keys"]} | of_another_shape
    unused = {*info["unexpected_keys"]} | of_another_shape
    return model, sorted(random), sorted(unused)


def read_scale(name: str, revision: str | None = None) -> tuple[Scale, str | None]:
    """The scale of a model's images, from its preprocessor_config.json; and a note if something was assumed."""
    what = f"The scale of the images of '{name}' cannot be read from its preprocessor_config.json"
    with one_sentence(what, "correct it, or give network.options a normalisation"):
        settings = _preprocessing(name, revision)
        scale = scale_from_preprocessing(settings or {})
    if settings is None:
        return scale, "no preprocessor_config.json: ImageNet's mean and deviation are taken"
    if _subtracts_a_mean(settings) and not (settings.get("image_mean") and settings.get("image_std")):
        return scale, "preprocessor_config.json has no mean or no deviation: ImageNet's are taken"
    return scale, None


def _preprocessing(name: str, revision: str | None) -> dict[str, Any] | None:
    """What the model's files say of its images; None if no file does. It is an error if the hub cannot be reached."""
    with _transformers():
        from transformers.utils.hub import cached_file

        # Newer models keep it inside processor_config.json.
        for file, key in (("processor_config.json", "image_processor"), ("preprocessor_config.json", None)):
            path = cached_file(_place(name), file, revision=revision, _raise_exceptions_for_missing_entries=False)
            content = {} if path is None else json.loads(Path(path).read_text(encoding="utf-8"))
            settings: dict[str, Any] | None = content.get(key) if key else content
            if settings:
                return settings
    return None


def scale_from_preprocessing(settings: dict[str, Any]) -> Scale:
    """The scale that a preprocessor_config.json describes.

    There an image is multiplied by `rescale_factor` before the mean is subtracted. Here images are 0..255, so mean and
    deviation are divided by that factor instead.
    """
    factor = 1.0 if settings.get("do_rescale") is False else settings.get("rescale_factor") or 1 / 255
    mean, std = [0.0] * 3, [1.0] * 3
    if _subtracts_a_mean(settings):
        mean, std = settings.get("image_mean") or IMAGENET_MEAN, settings.get("image_std") or IMAGENET_STD
    return scale_from_dict(
        {
            "mean": [value / factor for value in mean],
            "std": [value / factor for value in std],
            "bgr": bool(settings.get("do_flip_channel_order")),
        }
    )


def _subtracts_a_mean(settings: dict[str, Any]) -> bool:
    """Models that turn RGB into BGR (MobileViT) subtract nothing."""
    return settings.get("do_normalize") is not False and not settings.get("do_flip_channel_order")


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
def one_sentence(what: str, advice: str) -> Iterator[None]:
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
