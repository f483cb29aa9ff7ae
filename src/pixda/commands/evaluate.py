"""``pixda evaluate``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.data.config import Data
from pixda.options import make_parser, parse


def evaluate(words: Sequence[str]) -> None:
    """Score a finished run: pixda evaluate --model runs/first --data.dataset camvid --data.root DIR."""
    parser = make_parser("evaluate", "Score a finished run on labelled frames.")
    parser.add_argument("--model", type=Path, required=True, help="Folder of a finished run, or a model.safetensors.")
    parser.add_class_arguments(Data, "data")
    parser.add_argument(
        "--size",
        type=tuple[int, int] | None,
        default=None,
        help="(width, height) for the network; null: as in training.",
    )
    parser.add_argument("--out", type=Path | None, default=None, help="JSON file for the scores.")
    given = parse(parser, words)
    from pixda.report import print_scores
    from pixda.training.experiment import score_model

    print_scores({given.model.name: score_model(given.model, given.data, given.size, given.out)})
