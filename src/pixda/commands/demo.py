"""``pixda demo``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.options import make_parser, parse


def demo(words: Sequence[str]) -> None:
    """Render a small street world, train three methods on it, write a report (under 10 minutes)."""
    parser = make_parser(
        "demo", "Train source-only, fine-tuning and PixDA on the built-in street world; write a report."
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="Folder of the demo; it goes on there.")
    given = parse(parser, words)
    from pixda.demo import demo_experiment, run_demo

    run_demo(given.out, demo_experiment(given.out / "streets"))
