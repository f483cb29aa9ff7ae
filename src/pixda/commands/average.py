"""``pixda average``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.options import make_parser, parse
from pixda.words import leading


def average(words: Sequence[str]) -> None:
    """Average the weights of runs from one first stage: pixda average runs/a runs/b --out runs/averaged."""
    words = leading(words, "--runs")
    parser = make_parser(
        "average",
        "One network with the mean weights of several runs that began from the same weights (a model soup), such as "
        "the rows of one seed of pixda compare. All other commands take the new folder as they take a run.",
    )
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="Folders of finished runs, two or more.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the new model.")
    given = parse(parser, words)
    from pixda.averaging import average as write

    write(given.runs, given.out)
    print(f"The mean of {len(given.runs)} runs: {given.out}. Score it with pixda evaluate {given.out}.")
