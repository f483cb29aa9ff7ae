"""PyTorch's own files as plain values: no code runs, and what a file unpacks to is no larger than the file."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_ZIP = b"PK\x03\x04"


def load_torch(path: Path) -> Any:
    """Tensors, numbers, texts and collections of these, on the CPU.

    Raises whatever PyTorch raises for a damaged file, and ValueError for one that is small but stands for much:
    its entries are packed, or its tensors repeat the same bytes.
    """
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    if zipped:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are packed, which PyTorch never does")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its entries are larger than the file")
    content = torch.load(path, map_location="cpu", weights_only=True)
    # Twice: a tensor may be in the file once and be named by two.
    if sum(tensor.numel() * tensor.element_size() for tensor in _tensors(content)) > 2 * path.stat().st_size:
        raise ValueError("its tensors are larger than the file")
    return content


def _tensors(content: Any) -> Iterator[Tensor]:
    """All tensors in nested collections; a collection that holds itself is looked at once."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value
