"""What Hugging Face transformers is asked for: configurations, weights, and how images are scaled for them.

Nothing here runs the code of a model's repository, and weights come from safetensors files alone.
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

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_config(name: str, revision: str | None = None) -> Any:
    """The configuration of a model: `name` is a folder with config.json, or a name on the hub."""
    where = _place(name)
    with _transformers() as transformers:
        try:
            config = transformers.AutoConfig.from_pretrained(
                where, revision=revision or "main", trust_remote_code=False
            )
        except Exception as error:  # the hub's client and a damaged file have a dozen kinds
            raise UserError(
                f"No model '{name}' could be had ({first_line(error)}): name a folder with config.json and "
                "model.safetensors, or a model on Hugging Face's hub while it can be reached."
            ) from error
    return _known(config)


def config_from_dict(values: dict[str, Any]) -> Any:
    """The configuration that `model_type` and what differs from its defaults describe."""
    if "model_type" not in values:
        raise UserError("The config of a Hugging Face model needs its model_type, such as segformer.")
    with _transformers() as transformers:
        try:
            # One that transformers wrote itself says its version, and may hold leftovers of older ones.
            if "transformers_version" not in values:
                known = transformers.AutoConfig.for_model(values["model_type"]).to_dict()
                unknown = [key for key in values if key not in known]
                if unknown:
                    raise UserError(f"The model type '{values['model_type']}' has no option '{', '.join(unknown)}'.")
            config = transformers.AutoConfig.for_model(**values)
        except UserError:
            raise
        except Exception as error:  # an unknown type, or a value that it refuses
            raise UserError(f"That is no config of a Hugging Face model: {first_line(error)}") from error
    return _known(config)


def _known(config: Any) -> Any:
    """The configuration, if its model segments RGB images."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES as KNOWN

    for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
        if "/" in str(getattr(part, "_attn_implementation", "")):
            raise UserError(
                "The model's config asks for code from Hugging Face's hub (attn_implementation): remove it."
            )
    if config.model_type not in KNOWN:
        raise UserError(f"Models of the type '{config.model_type}' do not segment; these do: {', '.join(KNOWN)}.")
    channels = getattr(getattr(config, "backbone_config", None) or config, "num_channels", 3)
    if channels != 3:
        raise UserError(f"The model takes images of {channels} channels; PixDA gives it the three of RGB.")
    return config


def for_classes(config: Any, classes: ClassSet) -> None:
    """Make a configuration's head one for these classes, and leave out auxiliary heads, which nothing here trains."""
    config.id2label = dict(enumerate(classes.names))
    config.label2id = {label: index for index, label in enumerate(classes.names)}
    if hasattr(config, "use_auxiliary_head"):
        config.use_auxiliary_head = False


def random_model(config: Any) -> nn.Module:
    """The model of a configuration with random weights, float32."""
    with _transformers() as transformers:
        try:
            model: nn.Module = transformers.AutoModelForSemanticSegmentation.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
        except Exception as error:  # sizes that do not fit together, a backbone that needs another package
            raise UserError(f"No {config.model_type} model can be built so: {first_line(error)}") from error
    return model


def pretrained_model(name: str, config: Any, revision: str | None = None) -> tuple[nn.Module, list[str], list[str]]:
    """The model with its weights, float32; names in it that stayed at random; names in the file without use."""
    with _transformers() as transformers:
        try:
            model, report = transformers.AutoModelForSemanticSegmentation.from_pretrained(
                _place(name),
                revision=revision or "main",
                config=config,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype=torch.float32,
                trust_remote_code=False,
            )
        except Exception as error:  # no such file, a damaged one, the hub out of reach
            raise UserError(
                f"The weights of '{name}' could not be read ({first_line(error)}): they must be in safetensors files "
                "(PyTorch's pickles are not opened); pretrained: false starts from random ones."
            ) from error
    # Sets, whose order is another in every process.
    of_another_shape = {key for key, *_ in report["mismatched_keys"]}
    return (
        model,
        sorted({*report["missing_keys"]} | of_another_shape),
        sorted({*report["unexpected_keys"]} | of_another_shape),
    )


def read_scale(name: str, revision: str | None = None) -> tuple[Scale, str | None]:
    """How the images of a model are scaled, by its preprocessor_config.json; and what had to be assumed."""
    try:
        settings = _processor(name, revision)
        if settings is None:
            return scale_from_processor({}), "no preprocessor_config.json: ImageNet's mean and deviation are taken"
        scale = scale_from_processor(settings)
    except Exception as error:  # the hub out of reach, a damaged file, a mean of one channel
        raise UserError(
            f"How the images of '{name}' are scaled cannot be told from its preprocessor_config.json "
            f"({first_line(error)}): correct it, or give network.options a normalisation."
        ) from error
    if not _unscaled(settings) and (settings.get("image_mean") is None or settings.get("image_std") is None):
        return scale, "preprocessor_config.json has no mean or no deviation: ImageNet's are taken"
    return scale, None


def _processor(name: str, revision: str | None) -> dict[str, Any] | None:
    """The image-processor configuration of a model; None where it is known to have none."""
    with _transformers():
        from transformers.utils.hub import cached_file

        # Newer models keep it inside processor_config.json. Which of the two there is must not depend on the
        # connection: a file that is only out of reach raises.
        for file, key in (("processor_config.json", "image_processor"), ("preprocessor_config.json", None)):
            path = cached_file(_place(name), file, revision=revision, _raise_exceptions_for_missing_entries=False)
            content = json.loads(Path(path).read_text(encoding="utf-8")) if path is not None else {}
            settings: dict[str, Any] | None = content.get(key) if key else content
            if settings:
                return settings
    return None


def scale_from_processor(settings: dict[str, Any]) -> Scale:
    """The scale that an image-processor configuration describes, on the 0..255 scale.

    ``((x * rescale_factor) - image_mean) / image_std``, so that the mean and the deviation of 0..255 are theirs
    divided by the factor. Processors that turn RGB into BGR (MobileViT's) subtract nothing.
    """
    factor = settings.get("rescale_factor") or 1 / 255
    if settings.get("do_rescale") is False:
        factor = 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if not _unscaled(settings):
        mean, std = settings.get("image_mean") or IMAGENET_MEAN, settings.get("image_std") or IMAGENET_STD
    return scale_from_dict(
        {
            "mean": [part / factor for part in mean],
            "std": [part / factor for part in std],
            "bgr": bool(settings.get("do_flip_channel_order")),
        }
    )


def _unscaled(settings: dict[str, Any]) -> bool:
    return settings.get("do_normalize") is False or bool(settings.get("do_flip_channel_order"))


def scale_from_dict(values: dict[str, Any]) -> Scale:
    """A scale written as {mean: [3 numbers], std: [3 numbers], bgr: false}, on the 0..255 scale."""
    try:
        (a, b, c), (d, e, f) = ([float(part) for part in values[key]] for key in ("mean", "std"))
        if min(d, e, f) <= 0 or not values.keys() <= {"mean", "std", "bgr"}:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"The normalisation {values} is not one: write {{mean: [r, g, b], std: [r, g, b], bgr: false}} on the "
            "0..255 scale, deviations above zero."
        ) from None
    return Scale((a, b, c), (d, e, f), bool(values.get("bgr", False)))


def first_line(error: Exception) -> str:
    """The beginning of an error's text, for a sentence of one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".:")


def _place(name: str) -> str:
    """The folder of that name if there is one, else the name itself, for the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith((".", "~", "/")):
        raise UserError(f"There is no folder {name}: check the path.")
    return name


@contextmanager
def _transformers() -> Iterator[Any]:
    """The package, silent for as long as it is used: what it did is in the report."""
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
