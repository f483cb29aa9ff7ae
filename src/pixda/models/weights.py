"""Putting weights from a file or an https address into a segmenter, and saying what went where."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.models.batch_norm import BatchNorm
from pixda.models.download import check_hash, fetch
from pixda.models.efficientnet_lite import EfficientNetLite
from pixda.models.resnet import ResNet
from pixda.models.segmenter import Segmenter
from pixda.models.torch_files import load_torch
from pixda.models.vgg import VGG16

KEY_STYLES = (
    "Caffe's (Scale.conv1.weight), torchvision's (conv1.weight, features.0.0.weight, features.0.weight), "
    "EfficientNet-Lite's (_blocks.0._depthwise_conv.weight), AdaptSegNet's (layer6.conv2d_list.0.weight) "
    "and PixDA's own (backbone.conv1.weight)"
)
UNUSED = "features.18."  # MobileNet's last convolution, which only its classifier needs
FULLY_CONNECTED = {"classifier.0.": "fc6.", "classifier.3.": "fc7."}  # VGG's, which FCN8s has as convolutions


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did, in names of tensors."""

    source: str
    loaded: list[str]
    "names in the segmenter that now hold the file's values"
    skipped: list[str]
    "names in the file that the segmenter has no use for"
    left_at_random: list[str]
    "names in the segmenter that keep their initial values"
    notes: list[str] = field(default_factory=list)
    "what does not look right"

    def __str__(self) -> str:
        """One line a list, long ones by their beginning."""
        lines = [
            f"weights from {self.source}: {len(self.loaded)} tensors loaded",
            f"  skipped in the file: {_some(self.skipped)}",
            f"  left at random: {_some(self.left_at_random)}",
        ]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


def _some(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most]) or "none"
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def load_weights(segmenter: Segmenter, path_or_url: str | Path, sha256: str | None = None) -> LoadReport:
    """Copy the tensors of a file into `segmenter`; half precision becomes the segmenter's own.

    path_or_url: a `.safetensors` file, a PyTorch file (read as plain tensors, never as code), or an https
        address of either, kept in the cache. The keys may be in any of `KEY_STYLES`, with or without a
        leading `module.`.
    sha256: required for an address, checked for a path if given.

    The whole backbone must be in the file; the head may be, and otherwise stays at random. A head for
    another number of classes is skipped. A file that is missing, damaged, or for another network:
    `UserError`, and the segmenter is unchanged.

    The first two fully connected layers of a VGG16 classifier become FCN8s' convolutions.

    Caffe-style and torchvision's ResNets have the same names and shapes but not the same stride and
    colours. Files that name their style get a note in the report when they meet the other network; files
    without such a sign cannot be told apart. No file of VGG16 has one.
    """
    source = str(path_or_url)
    if "://" in source:
        path = fetch(source, sha256)
    else:
        path = Path(path_or_url).expanduser()
        if not path.is_file():
            raise UserError(f"There is no weights file {path}: check the path.")
        if sha256 is not None:
            check_hash(path, sha256)
    tensors = read_tensors(path)
    if isinstance(segmenter.backbone, EfficientNetLite):
        # _blocks.0._bn1.weight -> blocks.0.bn1.weight
        tensors = {key.replace("._", ".").removeprefix("_"): tensor for key, tensor in tensors.items()}
    if isinstance(segmenter.backbone, VGG16):
        tensors = _as_convolutions(segmenter.backbone, tensors)
    report, found = _match(segmenter, tensors, source)
    state = segmenter.state_dict()
    with torch.no_grad():
        for name, tensor in found.items():
            state[name].copy_(tensor)
    return report


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a `.safetensors` or PyTorch file, without a leading `module.`; or `UserError`."""
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else load_torch(path)
    except Exception as error:  # a damaged file can fail anywhere in its reader
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} cannot be read as plain tensors ({first}): give an undamaged .safetensors or PyTorch file."
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not named tensors: give a state dict.")
    # Batch norm's step counter is left out: nothing is computed from it, and old files lack it.
    return {
        str(key).removeprefix("module."): value
        for key, value in content.items()
        if isinstance(value, Tensor) and not str(key).endswith("num_batches_tracked")
    }


def _as_convolutions(backbone: VGG16, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """VGG's fully connected layers in the shape of the convolutions that compute them at every place."""
    state, fitted = backbone.state_dict(), dict(tensors)
    for key, tensor in tensors.items():
        for old, new in FULLY_CONNECTED.items():
            name = key.replace(old, new)
            if key.startswith(old) and name in state and tensor.numel() == state[name].numel():
                # Of the last pooling, 512 x 7 x 7, the classifier reads a row of 25088 in just this order.
                fitted[name] = fitted.pop(key).reshape(state[name].shape)
    return fitted


def _names(segmenter: Segmenter, keys: Iterable[str], style: str) -> dict[str, str | None]:
    """The segmenter's name for each key of a file, None where it has no such tensor."""
    known = segmenter.state_dict().keys()
    # Networks trained with AdaptSegNet's code: their head on layer4 is layer6, or layer5 if it is alone.
    head = "layer6." if any(key.startswith("layer6.") for key in keys) else "layer5."
    names: dict[str, str | None] = {}
    for key in keys:
        name = key
        if style == "Caffe":  # its layer5 is the classifier of another task
            name = key.split(".", 1)[-1]
        elif key.startswith(head) and isinstance(segmenter.backbone, ResNet):
            name = key.replace(head + "conv2d_list.", "head.branches.")
        names[key] = next((full for full in (name, f"backbone.{name}") if full in known), None)
    return names


def _match(segmenter: Segmenter, tensors: dict[str, Tensor], source: str) -> tuple[LoadReport, dict[str, Tensor]]:
    state = {name: value for name, value in segmenter.state_dict().items() if not name.endswith("num_batches_tracked")}
    children = {name for name, _ in segmenter.backbone.named_children()}
    style = "Caffe" if any(key.startswith("Scale.") for key in tensors) else "plain"
    found: dict[str, Tensor] = {}
    skipped: list[str] = []
    for key, name in _names(segmenter, tensors, style).items():
        tensor = tensors[key]
        if name is None:
            bare = key.removeprefix("Scale.").removeprefix("backbone.")
            if bare.split(".")[0] in children and not bare.startswith(UNUSED):
                raise UserError(f"{source} holds {key}, which this network lacks: it is for another network.")
            skipped.append(key)
        elif tensor.shape == state[name].shape:
            found[name] = tensor
        elif name.startswith("backbone."):
            if isinstance(segmenter.backbone, VGG16) and segmenter.backbone.width != 1:
                raise UserError(
                    f"{source} does not fit a VGG16 of width {segmenter.backbone.width:g}: pretrained weights are for "
                    "width 1, so leave the option out, or the weights."
                )
            raise UserError(
                f"{source} holds {key} of shape {tuple(tensor.shape)} where this network has "
                f"{name} of shape {tuple(state[name].shape)}: it is for another network."
            )
        else:
            skipped.append(key)
    left = [name for name in state if name not in found and not name.startswith("normalise.")]
    missing = [name for name in left if name.startswith("backbone.")]
    if not any(name.startswith("backbone.") for name in found):
        raise UserError(
            f"No tensor of {source} has a name that this network knows; the key styles understood are {KEY_STYLES}."
        )
    if missing:
        raise UserError(f"{source} lacks {_some(missing)}: it is for another network, or incomplete.")
    for name in ("normalise.mean", "normalise.std"):
        if name in found and not torch.equal(found[name].to(state[name]), state[name]):
            raise UserError(f"{source} was trained with another normalisation: build the network with that.")
    return LoadReport(source, list(found), skipped, left, _notes(segmenter, tensors, style)), found


def _notes(segmenter: Segmenter, tensors: dict[str, Tensor], style: str) -> list[str]:
    """What can be told from a file about a network whose names and shapes fit but which is another."""
    notes = []
    backbone = segmenter.backbone
    if isinstance(backbone, ResNet):
        if style == "Caffe" and not backbone.caffe:
            notes.append("Caffe-style weights in a torchvision-style ResNet: build it with caffe=True")
        if "fc.weight" in tensors and backbone.caffe:
            notes.append("torchvision's weights in a Caffe-style ResNet: build it with caffe=False")
    if any(key.startswith("backbone.") for key in tensors):
        return notes
    variances = [value for key, value in tensors.items() if key.endswith("running_var")]
    folded = bool(variances) and all(bool((value == 1).all()) for value in variances)
    if folded and not _frozen(backbone):
        notes.append("batch norm is folded into the convolutions: build with frozen_statistics=True")
    if segmenter.normalise.name == "symmetric" and "features.0.0.weight" in tensors and not folded:
        notes.append("these look like torchvision's weights: build with normalisation='imagenet'")
    return notes


def _frozen(backbone: nn.Module) -> bool:
    return all(module.frozen_statistics for module in backbone.modules() if isinstance(module, BatchNorm))
