"""What a user chooses of an export. No torch here: ``pixda --help`` reads it."""

from typing import Literal

Format = Literal["onnx", "torch_export"]
"""ONNX, or a program of torch.export."""
