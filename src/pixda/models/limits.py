"""A limit on what a description may build, found before memory is filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pixda.errors import UserError

_LARGEST = 1 << 20
_SPARE = 1 << 18  # elements: what a network makes and drops while it is put together


@contextmanager
def at_most(elements: int) -> Iterator[None]:
    """Networks that are built inside have about so many parameters, or a UserError ends it.

    A parameter is counted when its layer takes it: its memory is asked for by then, but not filled yet.
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
    """Raise UserError for a number, anywhere in a description, that would make lists without end."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise UserError(f"its description holds the number {str(value)[:20]}, larger than any of a network's")
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
