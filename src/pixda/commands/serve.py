"""``pixda serve``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse.typing import NonNegativeInt

from pixda.options import make_parser, parse


def serve(words: Sequence[str]) -> None:
    """Show models on a page in the browser: pixda serve runs/first runs/second."""
    parser = make_parser("serve", "A page in the browser: drop an image, see what a model makes of it.")
    parser.usage = "%(prog)s MODEL... [options]"
    parser.add_argument(
        "models", metavar="MODEL", type=Path, nargs="+", help="Folders of finished runs, or model.safetensors files."
    )
    parser.add_argument(
        "--host", type=str, default="127.0.0.1", help="Address to listen on; 0.0.0.0 lets other machines in."
    )
    parser.add_argument("--port", type=NonNegativeInt, default=7860, help="Port to listen on; 0 takes a free one.")
    given = parse(parser, words)
    from pixda.serve.server import serve as run

    run(given.models, given.host, given.port)
