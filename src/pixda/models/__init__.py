"""The networks: segmenters, by name, and the two discriminators."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.deeplab import deeplab_resnet50, deeplab_resnet101
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator
from pixda.models.ensemble import Ensemble
from pixda.models.fcn8s import fcn8s
from pixda.models.huggingface import huggingface
from pixda.models.mobile_deeplab import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2, mobile_deeplab
from pixda.models.segmenter import Segmenter, Tiny
from pixda.models.weights import LoadReport, load_weights

__all__ = [
    "ARCHITECTURES",
    "Ensemble",
    "ImageDiscriminator",
    "LoadReport",
    "PixelDiscriminator",
    "Segmenter",
    "build_segmenter",
    "load_weights",
]


def _ensemble(classes: ClassSet, members: Sequence[Mapping[str, Any]] = ()) -> Ensemble:
    """members: architecture and options of each network, such as {architecture: mobile_deeplab, width: 12}."""
    return Ensemble([build_segmenter(classes=classes, **member) for member in members])


ARCHITECTURES: dict[str, Callable[..., Segmenter]] = {
    "deeplab_resnet50": deeplab_resnet50,
    "deeplab_resnet101": deeplab_resnet101,
    "fcn8s": fcn8s,
    "mobile_deeplab": mobile_deeplab,
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_lite1": efficientnet_lite1,
    "efficientnet_lite2": efficientnet_lite2,
    "huggingface": huggingface,
    "tiny": Tiny,
    "ensemble": _ensemble,
}


def build_segmenter(architecture: str, classes: ClassSet, **options: Any) -> Segmenter:
    """A segmenter with its first weights, random for most; `options` are those of the entry in `ARCHITECTURES`.

    An unknown architecture or option: `UserError` that lists the choices.
    """
    try:
        build = ARCHITECTURES[architecture]
    except KeyError:
        raise UserError(
            f"There is no segmenter '{architecture[:50]}'; choose one of {', '.join(ARCHITECTURES)}."
        ) from None
    signature = inspect.signature(build)
    try:
        bound = signature.bind(classes, **options)
    except TypeError:
        known = [name for name in signature.parameters if name != "classes"]
        unknown = [name for name in options if name not in known]
        raise UserError(
            f"The segmenter '{architecture}' has no option '{', '.join(unknown)}'; it has {', '.join(known) or 'none'}."
        ) from None
    bound.apply_defaults()
    segmenter = build(*bound.args, **bound.kwargs)
    if segmenter.recipe:  # a Hugging Face model has set its own, without names of files or of the hub
        return segmenter
    # With the defaults, so that a saved network can still be built when they have changed.
    values = {name: value for name, value in bound.arguments.items() if name != "classes"}
    segmenter.recipe = {"architecture": architecture} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    return segmenter
