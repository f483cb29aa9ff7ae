"""``pixda evaluate``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pixda.data.config import Data
from pixda.errors import UserError
from pixda.options import add_views, make_parser, parse
from pixda.words import leading


def evaluate(words: Sequence[str]) -> None:
    """Score a finished run: pixda evaluate runs/first --data.dataset camvid --data.root DIR."""
    words = leading(words, "--model")
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
    add_views(parser)
    given = parse(parser, words)
    data = given.data
    if not any(word.startswith("--data.split") for word in words):
        data = replace(data, split=_test_split(given.model, data.dataset))
    from pixda.report import print_scores
    from pixda.training.scoring import score_model

    print_scores({given.model.name: score_model(given.model, data, given.size, given.out, given.scales, given.flips)})


def _test_split(model: Path, dataset: str) -> str:
    """The split that the model's own run keeps for scoring: never, without a word, one that it learned from."""
    from pixda.models.saved import read_about

    folder = model.parent if model.suffix == ".safetensors" else model
    target = read_about(folder / "model.json")["made"]["config"]["target"]
    split = target["test_split"]
    if target["dataset"] != dataset or split is None:
        raise UserError(
            f"Say which frames of the {dataset} data to score with --data.split, such as val (all: a folder without "
            "split folders); the model's run names none, and its training frames would flatter it."
        )
    return str(split)
