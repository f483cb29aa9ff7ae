"""Notices code that a file got to run: every payload in a fuzzed file names this module's class."""

import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

ran: list[str] = []
"""What was imported or called, and must not have been."""


class Evil:
    """What a payload calls."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        ran.append("called")

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Evil, (1,)


Evil.__module__ = "pixda_tripwire"


class _Finder:
    """Answers the import of pixda_tripwire."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name == "pixda_tripwire":
            ran.append("imported")
        return None


def payload_module() -> types.ModuleType:
    """The module under the name that payloads use, for as long as one is pickled."""
    module = types.ModuleType("pixda_tripwire")
    module.Evil = Evil  # type: ignore[attr-defined]
    return module


sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]
