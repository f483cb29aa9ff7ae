"""``pixda predict``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse.typing import PositiveFloat, PositiveInt

from pixda.options import add_views, make_parser, parse
from pixda.predict import Output
from pixda.words import leading


def predict(words: Sequence[str]) -> None:
    """Run a model on your images and videos: pixda predict photos clip.mp4 --model runs/first --out predicted."""
    words = leading(words, "--inputs")
    parser = make_parser("predict", "Run a finished run's model on images, folders of them, and videos.")
    parser.add_argument("--model", type=Path, required=True, help="Folder of a finished run, or a model.safetensors.")
    parser.add_argument(
        "--inputs", type=Path, nargs="+", required=True, help="Images, videos, and folders, searched at any depth."
    )
    parser.add_argument("--out", type=Path, required=True, help="Folder of the predictions; a stopped job goes on.")
    parser.add_argument(
        "--outputs",
        type=Output,
        nargs="+",
        default=["overlay", "ids"],
        help="What is written: colour masks, overlays, class indices (ids), confidence maps. Videos: overlays.",
    )
    parser.add_argument(
        "--size",
        type=tuple[PositiveInt, PositiveInt] | None,
        default=None,
        help="(width, height) for the network; null: as in training, or with --window the image's own.",
    )
    parser.add_argument(
        "--window",
        type=tuple[PositiveInt, PositiveInt] | None,
        default=None,
        help="Slide a window of (width, height) over large images, and average where windows overlap.",
    )
    parser.add_argument("--batch", type=PositiveInt, default=1, help="Images, or windows, for the network at once.")
    parser.add_argument(
        "--temperature",
        type=PositiveFloat,
        default=1.0,
        help="Divides the logits for the confidence maps; pixda validate fits it and writes it into validation.json.",
    )
    add_views(parser)
    given = parse(parser, words)
    from pixda.predict.job import predict_files

    predict_files(
        given.model,
        given.inputs,
        given.out,
        given.outputs,
        given.size,
        given.window,
        given.batch,
        given.scales,
        given.flips,
        given.temperature,
    )
