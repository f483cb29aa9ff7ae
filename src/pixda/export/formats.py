"""The formats: what is exported, how a file is written, and how it is run for the comparison."""

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pixda.errors import UserError
from pixda.export import Format
from pixda.models.segmenter import Segmenter
from pixda.models.upsampling import upsample

Runner = Callable[[np.ndarray], Sequence[np.ndarray]]
"""uint8 ``B x 3 x H x W`` -> the outputs of the file: classes ``B x H x W``, and the confidence if it is exported."""

OPSET = 17


class Deployed(nn.Module):
    """What is exported: a segmenter in eval mode with everything from the pixels to the class indices.

    With ``confidence`` the softmax of the predicted class is an output, too.
    """

    def __init__(self, segmenter: Segmenter, confidence: bool) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.confidence = confidence
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """uint8 B x 3 x H x W, RGB -> class indices, uint8 B x H x W; and their softmax, float32 B x H x W, 0..1."""
        logits = upsample(self.segmenter(image.float()), image.shape[-2:])
        classes = logits.argmax(1).to(torch.uint8)
        return (classes, logits.softmax(1).amax(1)) if self.confidence else (classes,)


class Kind(NamedTuple):
    """One format."""

    title: str
    ending: str
    check: Callable[[], None]
    """Raises UserError if a package is missing."""
    write: Callable[[Deployed, Path, Mapping[str, Any]], None]
    """Arguments: the network, the file, and JSON values by name to store in the file."""
    open: Callable[[Path], Runner]


def _check_onnx() -> None:
    # On import onnxruntime would write an id of the machine to the home folder and send it to its maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UserError(f"ONNX needs packages that are not installed ({error}): pip install 'pixda[onnx]'.") from error


def _write_onnx(network: Deployed, path: Path, about: Mapping[str, Any]) -> None:
    import onnx

    outputs = ["classes", "confidence"][: 1 + network.confidence]
    pixels = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # dynamo=False is the tracing exporter: half a second for the small network, for which the other one takes 24,
        # and the file is as fast and gives the same labels. It is deprecated, so a newer torch may lack it: try this
        # when the range of versions in pyproject.toml is widened.
        torch.onnx.export(
            network,
            (_example(),),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=outputs,
            dynamic_axes={"image": pixels} | {name: {0: "batch", 1: "height", 2: "width"} for name in outputs},
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in about.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _open_onnx(path: Path) -> Runner:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> Sequence[np.ndarray]:
        found: Sequence[np.ndarray] = session.run(None, {"image": images})
        return found

    return run


def _write_program(network: Deployed, path: Path, about: Mapping[str, Any]) -> None:
    free = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (_example(),), dynamic_shapes=({0: free, 2: free, 3: free},))
    torch.export.save(program, path, extra_files={"pixda.json": json.dumps(about)})


def _open_program(path: Path) -> Runner:
    program = torch.export.load(path).module()

    def run(images: np.ndarray) -> Sequence[np.ndarray]:
        with torch.inference_mode():
            return [output.numpy() for output in program(torch.from_numpy(images))]

    return run


def _example() -> Tensor:
    """Images to trace with: two in a batch and different sides, so that no size is taken for a constant."""
    return torch.randint(0, 256, (2, 3, 96, 128), dtype=torch.uint8)


FORMATS: dict[Format, Kind] = {
    "onnx": Kind(f"ONNX, opset {OPSET}", ".onnx", _check_onnx, _write_onnx, _open_onnx),
    "torch_export": Kind(
        f"torch.export, torch {torch.__version__}", ".pt2", lambda: None, _write_program, _open_program
    ),
}
