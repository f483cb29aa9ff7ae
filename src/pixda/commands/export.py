"""``pixda export``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.export import Format
from pixda.options import add_views, make_parser, parse
from pixda.words import leading


def export(words: Sequence[str]) -> None:
    """Write a model as one file, checked against PyTorch: pixda export runs/first --out first.onnx."""
    words = leading(words, "--model")
    parser = make_parser("export", "Write a finished run's model as one file that runs without PixDA.")
    parser.add_argument("--model", type=Path, required=True, help="Folder of a finished run, or a model.safetensors.")
    parser.add_argument(
        "--out", type=Path, required=True, help="The file; a model card, FILE.md, is written beside it."
    )
    parser.add_argument(
        "--format", type=Format, default="onnx", help="onnx (file.onnx), or torch_export (file.pt2, for torch alone)."
    )
    parser.add_argument(
        "--frames",
        type=Path,
        nargs="+",
        default=None,
        help="Real images, or folders of them, on which the file must agree with PyTorch; null: the run's target's.",
    )
    parser.add_argument("--confidence", type=bool, default=False, help="Let the file give the confidence, too.")
    add_views(parser)
    given = parse(parser, words)
    from pixda.export.job import export_model

    export_model(given.model, given.out, given.format, given.frames, given.confidence, given.scales, given.flips)
