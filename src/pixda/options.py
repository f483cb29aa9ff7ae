"""From words and YAML to typed options: parsers made from functions and dataclasses, whose mistakes are one line."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace, get_loader, set_loader, set_parsing_settings
from yaml import YAMLError

from pixda.config import Experiment
from pixda.errors import UserError
from pixda.methods import METHODS, build
from pixda.methods.method import Method
from pixda.methods.presets import PRESETS
from pixda.reading import check_yaml, read_yaml

# Configs could name classes (class_path), which jsonargparse would import and call: whoever wrote the file would run
# code here. Nothing of PixDA is chosen so, and nothing may be but the plain groups of values that lists are made of.
set_parsing_settings(
    docstring_parse_attribute_docstrings=True,
    import_path_denylist=["*"],
    import_path_allowlist=["pixda.data.config.Data", "pixda.comparison.grid.Row"],
    instantiate_subclass_spec_in_any=False,
)

_load_yaml = get_loader("yaml")


def _load_checked(text: str) -> Any:
    check_yaml(text)
    return _load_yaml(text)


set_loader("yaml", _load_checked, (YAMLError,))

_LONGEST_MISTAKE = 2000  # characters


def make_parser(command: str, description: str) -> ArgumentParser:
    """A parser for ``pixda <command>`` that raises instead of leaving, and takes no abbreviations."""
    return ArgumentParser(
        prog=f"pixda {command}",
        usage="%(prog)s [options]",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(parser: ArgumentParser, given: Sequence[str] | Mapping[str, Any]) -> Namespace:
    """Words, or values as a config file holds them, as objects; a mistake is a :class:`UserError` of one line."""
    try:
        if isinstance(given, Mapping):
            found: Namespace = parser.instantiate(parser.parse_object(dict(given)))
        else:
            found = parser.instantiate(parser.parse_args(list(given)))
    except (argparse.ArgumentError, ImportError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise _mistake(parser, error) from error  # the latter for classes, and for values too odd for its own words
    return found


_A_CLASS = re.compile(r"Importing '(.+?)' is not allowed")


def _mistake(parser: ArgumentParser, error: Exception) -> UserError:
    if named := _A_CLASS.search(str(error)):
        text = (
            f"'{named[1]}' would be imported as a Python class, which neither options nor configs may ask for; write "
            "plain values, and the path of a file with a folder (./name.yaml)"
        )
    else:
        text = " ".join(str(error).replace('in "<unicode string>", ', "").split())[:_LONGEST_MISTAKE]
        if re.search(r"not (int|float)|Got value: -?[0-9.]+\b", text) and "str" in text:
            text += "; in YAML put a name or path that looks like a number in quotes"
    return UserError(f"{text} (options: {parser.prog} --help)")


@dataclass(frozen=True)
class Training:
    """What ``pixda train`` is asked for."""

    method: str
    preset: str
    recipe: Method
    experiment: Experiment
    out: Path | None
    resume: bool


def read_training(words: Sequence[str]) -> Training:
    """The options of ``pixda train``."""
    method, preset = method_and_preset(words)
    return as_training(method, preset, parse(train_parser(method, preset), words))


def as_training(method: str, preset: str, given: Namespace) -> Training:
    """What a parser made by :func:`train_parser` has read."""
    experiment = Experiment(**{field.name: given[field.name] for field in fields(Experiment)})
    return Training(method, preset, given.recipe, experiment, given.out, given.resume)


def train_parser(method: str, preset: str, command: str = "train") -> ArgumentParser:
    """The options of ``pixda train`` for one method; the defaults are the values of one preset.

    Other commands take the same options under their own name.
    """
    default = build(method, preset)
    parser = make_parser(command, METHODS[method].__doc__ or "")
    parser.add_argument("--config", action="config", help="YAML file; options after it override it.")
    parser.add_argument("--method", type=str, default=method, help=f"One of {', '.join(METHODS)}.")
    parser.add_argument("--preset", type=str, default=preset, help=f"Values of the recipe: {', '.join(PRESETS)}.")
    parser.add_argument("--out", type=Path | None, default=None, help="Folder that the run is kept in.")
    parser.add_argument("--resume", type=bool, default=False, help="Go on with the run in --out, if there is one.")
    parser.add_class_arguments(Experiment)
    parser.add_class_arguments(METHODS[method], "recipe")
    parser.set_defaults(dict(_leaves("recipe", default)))
    return parser


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """``group.field`` and value of every field of nested dataclasses."""
    for field in fields(value):
        inner = getattr(value, field.name)
        if hasattr(inner, "__dataclass_fields__"):
            yield from _leaves(f"{key}.{field.name}", inner)
        else:
            yield f"{key}.{field.name}", inner


def method_and_preset(words: Sequence[str]) -> tuple[str, str]:
    """The method and the preset, from the options or the config files.

    Which options there are, and their defaults, depends on them: they are read before everything else.
    """
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--method")
    reader.add_argument("--preset")
    given, _ = reader.parse_known_args(words)
    values = {"method": "pixda", "preset": "paper"}
    for content in read_configs(words):
        values |= {key: str(content[key]) for key in values if key in content}
    values |= {key: value for key, value in vars(given).items() if key in values and value is not None}
    return values["method"], values["preset"]


def read_configs(words: Sequence[str]) -> list[dict[str, Any]]:
    """The values of every file that ``--config`` names. Raises UserError for one that cannot be read."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--config", action="append", default=[], type=Path)
    contents = []
    for path in reader.parse_known_args(words)[0].config:
        content = read_yaml(path, "The config")
        if not isinstance(content, dict):
            raise UserError(f"The config {path} must hold 'key: value' lines; start from one in configs/.")
        contents.append(content)
    return contents


def add_views(parser: ArgumentParser) -> None:
    """Options for looking at an image several times."""
    parser.add_argument(
        "--scales",
        type=list[float],
        default=[1.0],
        help="Show every image at each of these scales and average, such as [0.75,1,1.25]: a little better, slower.",
    )
    parser.add_argument("--flips", type=bool, default=False, help="Show the mirror image, too, and average.")
