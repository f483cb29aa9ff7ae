"""Parse command lines and YAML into typed options; every mistake is one sentence."""

import argparse
import re
import textwrap
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
from pixda.words import did_you_mean, normalised_values, normalised_words

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
    return normalised_values(_load_yaml(text))


set_loader("yaml", _load_checked, (YAMLError,))

_LONGEST_MISTAKE = 2000  # characters


BASICS = (
    *("config", "method", "preset", "out", "resume", "source.dataset", "source.root", "source.split", "target.dataset"),
    *("target.root", "target.shots", "target.test_split", "classes", "size", "network.architecture", "network.weights"),
    *("unlabelled", "start_from", "seed", "machine.accelerator", "machine.precision"),
)
"""What `pixda train --help` shows; the others are for `--help all`."""


class Parser(ArgumentParser):
    """A parser whose help can be short.

    Attributes:
        basics: names of the options that the short help shows; empty: it shows all.
    """

    basics: Sequence[str] = ()

    def format_help(self, *formatter: Any) -> str:
        """The short help where there is one, else that of all options."""
        if not self.basics:
            return super().format_help(*formatter)
        lines = []
        for name in self.basics:
            action = next(action for action in self._actions if f"--{name}" in action.option_strings)
            text = " ".join((action.help or "").split())
            default = self.get_default(name) if name not in ("config", "unlabelled") else None
            shown = "" if default in (None, [], "") else f" (default: {default})"
            lines.append(f"  --{name:22} {text}{shown}")
        return (
            "Train a segmentation network for real streets from many labelled synthetic images and a handful of\n"
            "labelled real ones.\n\n"
            f"usage: {self.prog} CONFIG [options], CONFIG a YAML file or a shipped one (pixda configs)\n\n"
            f"{self.description}\n\nthe basics:\n"
            + "\n".join(textwrap.fill(line, 118, subsequent_indent=" " * 27) for line in lines)
            + f"\n\nAll options, with those of the recipe: {self.prog} --help all\n"
        )


def make_parser(command: str, description: str, basics: Sequence[str] = ()) -> ArgumentParser:
    """A parser for ``pixda <command>`` that raises instead of leaving, and takes no abbreviations."""
    parser = Parser(
        prog=f"pixda {command}",
        usage="%(prog)s [options]",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.basics = basics
    return parser


def parse(parser: ArgumentParser, given: Sequence[str] | Mapping[str, Any]) -> Namespace:
    """Parse words, or the values of a config file, into objects. Raises UserError with one sentence."""
    try:
        if isinstance(given, Mapping):
            found: Namespace = parser.instantiate(parser.parse_object(normalised_values(dict(given))))
        else:
            words = normalised_words(given)
            if "all" in words and words[words.index("all") - 1] in ("-h", "--help"):
                parser.basics = ()  # type: ignore[attr-defined]
            found = parser.instantiate(parser.parse_args(words))
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
        text = text.replace("Expected a <class 'tuple'>", "Expected two numbers, such as 480x360")
        if re.search(r"not (int|float)|Got value: -?[0-9.]+\b", text) and "str" in text:
            text += "; in YAML put a name or path that looks like a number in quotes"
    if unknown := re.search(r"--([\w.]+)", text) if "nrecognized" in text or "does not exist" in text else None:
        known = [option for action in parser._actions for option in action.option_strings]
        text += f".{did_you_mean('--' + unknown[1], known)}"
    return UserError(f"{text} (options: {parser.prog} --help)")


@dataclass(frozen=True)
class Training:
    """The options of one ``pixda train``."""

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
    """The result of a parser made by ``train_parser``."""
    experiment = Experiment(**{field.name: given[field.name] for field in fields(Experiment)})
    return Training(method, preset, given.recipe, experiment, given.out, given.resume)


def train_parser(method: str, preset: str, command: str = "train") -> ArgumentParser:
    """The options of ``pixda train`` for one method; the defaults are the values of one preset.

    Other commands take the same options under their own name.
    """
    default = build(method, preset)
    parser = make_parser(command, METHODS[method].__doc__ or "", BASICS if command == "train" else ())
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
            raise UserError(f"The config {path} must hold 'key: value' lines; pixda configs lists some to start from.")
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
