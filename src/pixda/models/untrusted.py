"""Reading models from others safely: no code runs, and a small file cannot fill the memory."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pixda.errors import UserError

_ZIP = b"PK\x03\x04"
_LARGEST_NUMBER = 1 << 20
_SPARE = 1 << 18  # elements that a network may create and drop while it is built


def load_torch(path: Path) -> Any:
    """Tensors, numbers, texts and collections of these, on the CPU.

    Raises what PyTorch raises for a damaged file, and ValueError for a small file with a much larger content: one with
    compressed entries, or with tensors that repeat the same bytes.
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
    # Twice, since two names may stand for the same tensor.
    if sum(tensor.numel() * tensor.element_size() for tensor in _tensors(content)) > 2 * path.stat().st_size:
        raise ValueError("its tensors are larger than the file")
    return content


def _tensors(content: Any) -> Iterator[Tensor]:
    """All tensors in nested collections. Each collection is visited once, since one may contain itself."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value


@contextmanager
def at_most(elements: int) -> Iterator[None]:
    """Raise UserError as soon as networks that are built inside have more than about so many parameters.

    A parameter is counted when its layer registers it. Its memory is reserved by then, but not yet filled.
    """
    left = 2 * elements + _SPARE

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if parameter is None else max(parameter.numel(), 1)
        if left < 0:
            raise UserError(f"its description is of a network larger than its weights, which are {elements} numbers")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def check_numbers(values: Any) -> None:
    """Raise UserError if a description has a number so large that a list of that length would fill the memory."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise UserError(f"its description holds the number {str(value)[:20]}, larger than any of a network's")
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
