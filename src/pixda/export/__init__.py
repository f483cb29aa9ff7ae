"""A model as one file that runs without PixDA, compared with PyTorch before it is given out."""

from typing import Literal

Format = Literal["onnx", "torch_export"]
"""ONNX, or a program of torch.export."""
