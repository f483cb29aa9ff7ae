"""``pixda compare``."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pixda.comparison.command_line import Resources, changed, split_words
from pixda.comparison.grid import Grid
from pixda.errors import UserError
from pixda.options import make_parser, parse, read_configs
from pixda.shipped import with_config


def compare(words: Sequence[str]) -> None:
    """Compare methods over shots and seeds, in one table: pixda compare compare/streets_to_camvid --out runs/table."""
    parser = make_parser(
        "compare",
        "Methods x shots x seeds x splits of the data, run side by side and put into tables. Killed at any moment, the "
        "same command goes on. The first word may be the file itself: pixda compare FILE --out DIR.",
    )
    parser.add_argument("--config", action="config", help="The grid, a YAML file; options after it override it.")
    parser.add_argument("--out", type=Path | None, default=None, help="Folder for the tables and the runs.")
    parser.add_class_arguments(Resources)
    parser.add_class_arguments(Grid)
    rest, fields = split_words(words)
    rest = with_config(rest)
    read_configs(rest)  # for errors that name the file and the line
    given = parse(parser, rest)
    if given.out is None:
        raise UserError("--out is needed: the folder that tables and runs are kept in, such as --out runs/table.")
    resources = Resources(**{name: given[name] for name in Resources.__dataclass_fields__})
    grid = changed(Grid(**{name: given[name] for name in Grid.__dataclass_fields__}), fields)
    from pixda.comparison.compare import compare as run
    from pixda.comparison.pool import Stopped
    from pixda.comparison.tables import print_table

    again = f"pixda compare {shlex.join(words)}"
    try:
        found = run(grid, given.out, resources)
    except Stopped as stopped:
        raise Stopped(f"{stopped} To go on: {again}") from stopped
    print_table(found)
    print(f"Tables, curve and protocol card: {given.out}")
    if any(result.failure is not None for result in found.results):
        print(f"To try what failed again: {again}")
