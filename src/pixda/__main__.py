"""The commands: ``pixda demo | train | evaluate``. Torch is imported only when one of them does its work."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from pixda import __version__
from pixda.config import Experiment
from pixda.data.config import Data
from pixda.errors import UserError
from pixda.methods import METHODS, build
from pixda.methods.presets import PRESETS

set_parsing_settings(docstring_parse_attribute_docstrings=True)

_SUMMARY = """\
Few-shot domain adaptation for semantic segmentation: many labelled synthetic street images, a handful of real ones.

commands:
  pixda demo       render a small street world, train three methods on it, write a report (under 10 minutes)
  pixda train      train a method: pixda train --config configs/streets_to_camvid/pixda.yaml --out runs/first
  pixda evaluate   score a finished run: pixda evaluate --model runs/first --data.dataset camvid --data.root DIR

A command's options: add --help. The traceback of an error: add --debug.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code. A user's mistake is printed as one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(_SUMMARY, end="")
        return 0
    if words[0] == "--version":
        print(f"pixda {__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise UserError(f"There is no command '{words[0]}'; choose one of {', '.join(COMMANDS)}.")
        COMMANDS[words[0]](words[1:])
    except UserError as error:
        if debug:
            raise
        print(f"pixda: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pixda: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        what = " ".join(str(error).split())[:500]
        print(f"pixda: {type(error).__name__}: {what} (add --debug to see where)", file=sys.stderr)
        return 1
    return 0


# ---- the commands


def demo(words: Sequence[str]) -> None:
    """``pixda demo``."""
    parser = _parser("demo", "Train source-only, fine-tuning and PixDA on the built-in street world; write a report.")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="Folder of the demo; it goes on there.")
    given = _parse(parser, words)
    from pixda.demo import demo_experiment, run_demo

    run_demo(given.out, demo_experiment(given.out / "streets"))


def train(words: Sequence[str]) -> None:
    """``pixda train``."""
    method, preset = _method_and_preset(words)
    given = _parse(train_parser(method, preset), words)
    if given.out is None:
        raise UserError("--out is needed: the folder that the run is kept in, such as --out runs/first.")
    experiment = Experiment(**{field.name: given[field.name] for field in fields(Experiment)})
    from pixda.experiment import run
    from pixda.report import print_scores

    scores = run(experiment, given.recipe, method, preset, given.out, given.resume)
    print_scores({f"{method} ({preset})": scores})


def evaluate(words: Sequence[str]) -> None:
    """``pixda evaluate``."""
    parser = _parser("evaluate", "Score a finished run on labelled frames.")
    parser.add_argument("--model", type=Path, required=True, help="Folder of a finished run, or a model.safetensors.")
    parser.add_class_arguments(Data, "data")
    parser.add_argument(
        "--size",
        type=tuple[int, int] | None,
        default=None,
        help="(width, height) for the network; null: as in training.",
    )
    parser.add_argument("--out", type=Path | None, default=None, help="JSON file for the scores.")
    given = _parse(parser, words)
    from pixda.experiment import score_model
    from pixda.report import print_scores

    print_scores({given.model.name: score_model(given.model, given.data, given.size, given.out)})


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {"demo": demo, "train": train, "evaluate": evaluate}


# ---- their options


def train_parser(method: str, preset: str) -> ArgumentParser:
    """The options of ``pixda train`` for one method; the defaults are the values of one preset."""
    default = build(method, preset)
    parser = _parser("train", METHODS[method].__doc__ or "")
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


def _method_and_preset(words: Sequence[str]) -> tuple[str, str]:
    """The method and the preset, from the options or the config files.

    Which options there are, and their defaults, depends on them: they are read before everything else.
    """
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--config", action="append", default=[])
    reader.add_argument("--method")
    reader.add_argument("--preset")
    given, _ = reader.parse_known_args(words)
    values = {"method": "pixda", "preset": "paper"}
    for path in given.config:
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"The config {path} cannot be read: {' '.join(str(error).split())}") from error
        if not isinstance(content, dict):
            raise UserError(f"The config {path} must hold 'key: value' lines; start from one in configs/.")
        values |= {key: str(content[key]) for key in values if key in content}
    values |= {key: value for key, value in vars(given).items() if key in values and value is not None}
    return values["method"], values["preset"]


def _parser(command: str, description: str) -> ArgumentParser:
    return ArgumentParser(
        prog=f"pixda {command}",
        usage="%(prog)s [options]",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
    )


def _parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """The options as objects; a mistake in them is a :class:`UserError` of one line."""
    try:
        given: Namespace = parser.instantiate(parser.parse_args(list(words)))
    except argparse.ArgumentError as error:
        text = " ".join(str(error).split())
        raise UserError(f"{text} (options: {parser.prog} --help)") from error
    return given


if __name__ == "__main__":
    sys.exit(main())
