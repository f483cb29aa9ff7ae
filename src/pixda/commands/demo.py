"""``pixda demo``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.options import make_parser, parse


def demo(words: Sequence[str]) -> None:
    """Render a small street world, train four methods on it, say which won, write a report (about 10 minutes)."""
    parser = make_parser(
        "demo",
        "Train source-only, fine-tuning, balanced joint training and PixDA on the built-in street world; say which "
        "won; write a report.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="Folder of the demo; it goes on there.")
    given = parse(parser, words)
    from pixda.demo import demo_experiment, run_demo

    run_demo(given.out, demo_experiment(given.out / "streets"))
