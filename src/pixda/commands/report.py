"""``pixda report``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.errors import UserError
from pixda.options import make_parser, parse
from pixda.words import leading


def report(words: Sequence[str]) -> None:
    """Show runs in one page, with figures for papers: pixda report runs/first runs/second --out runs/report."""
    parser = make_parser(
        "report",
        "One self-contained HTML page about a run: the result, the method step by step in pictures, frames, protocol; "
        "and its figures as PNG and PDF. Of several runs the first is told, the others are what it is compared with; "
        "a folder of pixda compare gives its tables, too. pixda report RUN [RUN ...] [--out FOLDER].",
    )
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="The same as the words before the options.")
    parser.add_argument("--out", type=Path | None, default=None, help="Folder of the page; null: RUN/report.")
    given = parse(parser, leading(words, "--runs"))
    if not given.runs:
        raise UserError("Name the folder of a run, or several: pixda report runs/first.")
    from pixda.report.page import write_report

    print(f"Open {write_report(given.runs, given.out)} in a browser.")
