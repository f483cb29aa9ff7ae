"""What the commands share: parsers whose mistakes are one line, made from typed functions and dataclasses."""

import argparse
from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from pixda.errors import UserError

set_parsing_settings(docstring_parse_attribute_docstrings=True)


def make_parser(command: str, description: str) -> ArgumentParser:
    """A parser for ``pixda <command>`` that raises instead of leaving, and takes no abbreviations."""
    return ArgumentParser(
        prog=f"pixda {command}",
        usage="%(prog)s [options]",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """The options as objects; a mistake in them is a :class:`UserError` of one line."""
    try:
        given: Namespace = parser.instantiate(parser.parse_args(list(words)))
    except argparse.ArgumentError as error:
        text = " ".join(str(error).split())
        raise UserError(f"{text} (options: {parser.prog} --help)") from error
    return given
