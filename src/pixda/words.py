"""Normalises command lines as people type them: sizes, old names, positional inputs."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

_SIZES = ("size", "crop", "window")
"""Options that are (width, height), whatever group they stand in."""

_SIZE = re.compile(r"\s*[\[(]?\s*(\d+)\s*(?:[x×*,;/]|\s)\s*(\d+)\s*[\])]?\s*", re.IGNORECASE)


_NEW_NAMES = {"critics": "discriminators", "critic": "discriminator", "critics_at": "discriminators_at"}
"""Old names of options, which configs and runs from before they were renamed have."""


def new_name(option: str) -> str:
    """``recipe.critics.lr`` as it is called now: ``recipe.discriminators.lr``."""
    return ".".join(_NEW_NAMES.get(part, part) for part in option.split("."))


def new_loss_name(name: str) -> str:
    """``judge_accuracy``, in the logs of an old run, as it is called now: ``selection_discriminator_accuracy``."""
    for old, new in (("aligner", "discriminator"), ("judge", "selection_discriminator"), ("critic", "discriminator")):
        name = name.replace(old, new)
    return name


def as_size(text: str) -> list[int] | None:
    """``480x360``, ``480,360``, ``480 360``, ``480×360`` or ``[480,360]`` as [width, height]; None for another text."""
    match = _SIZE.fullmatch(text)
    return [int(match[1]), int(match[2])] if match else None


def normalised_words(words: Sequence[str]) -> list[str]:
    """The words with options by their present names and every size as parsers take it; two numbers become one word."""
    made: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if not option.startswith("--"):
            made.append(word)
            continue
        option = f"--{new_name(option[2:])}"
        if option.rpartition(".")[2].lstrip("-") not in _SIZES:
            made.append(option + equals + value)
            continue
        if not equals:
            count = 2 if len(rest) > 1 and rest[0].isdigit() and rest[1].isdigit() else 1
            value, rest = " ".join(rest[:count]), rest[count:]
        size = as_size(value)
        made += [option, f"[{size[0]},{size[1]}]" if size else value]
    return made


def normalised_values(values: Any) -> Any:
    """The values of a YAML file, options by their present names, sizes (``size: 480x360``) as lists."""
    if isinstance(values, list):
        return [normalised_values(one) for one in values]
    if not isinstance(values, dict):
        return values
    made = {}
    for key, value in values.items():
        size = as_size(value) if key in _SIZES and isinstance(value, str) else None
        made[new_name(key) if isinstance(key, str) else key] = size or normalised_values(value)
    return made


def leading(words: Sequence[str], option: str) -> list[str]:
    """The words before the first option, as the values of ``option``: ``photo.jpg --model run`` -> ``--inputs ...``."""
    count = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return [option, *words[:count], *words[count:]] if count else list(words)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: " Did you mean X or Y?", or nothing where no name is near."""
    near = difflib.get_close_matches(word, list(known), 2, 0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""
