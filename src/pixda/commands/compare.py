"""``pixda compare``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.comparison.grid import Grid
from pixda.errors import UserError
from pixda.options import make_parser, parse, read_configs


def compare(words: Sequence[str]) -> None:
    """Compare methods over shots and seeds, in one table: pixda compare configs/compare/quick.yaml --out runs/table."""
    parser = make_parser(
        "compare",
        "Methods x shots x seeds x splits of the data, run side by side and put into tables. Killed at any moment, the "
        "same command goes on. The first word may be the file itself: pixda compare FILE --out DIR.",
    )
    parser.add_argument("--config", action="config", help="The grid, a YAML file; options after it override it.")
    parser.add_argument("--out", type=Path | None, default=None, help="Folder for the tables and the runs.")
    parser.add_argument(
        "--at_once",
        type=int | None,
        default=None,
        help="Cells that run at the same time; by default one a GPU, or one a processor (at most 8).",
    )
    parser.add_class_arguments(Grid)
    first = list(words[:1])
    words = ["--config", *words] if first and not first[0].startswith("-") else words
    read_configs(words)  # for errors that name the file and the line
    given = parse(parser, words)
    if given.out is None:
        raise UserError("--out is needed: the folder that tables and runs are kept in, such as --out runs/table.")
    if given.at_once is not None and given.at_once < 1:
        raise UserError(f"--at_once is the number of cells that run at the same time, 1 or more, not {given.at_once}.")
    grid = Grid(**{name: given[name] for name in Grid.__dataclass_fields__})
    from pixda.comparison.compare import compare as run
    from pixda.comparison.write import print_table

    print_table(run(grid, given.out, given.at_once))
    print(f"Tables, curve and protocol card: {given.out}")
