"""``pixda suggest``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.options import make_parser, parse
from pixda.words import leading


def suggest(words: Sequence[str]) -> None:
    """Say which unlabelled frames to label next: pixda suggest DIR --model runs/first --count 5 --out DIR."""
    words = leading(words, "--images")
    parser = make_parser(
        "suggest",
        "Which frames to label next: typical of the folder by what the network sees in them, unlike what is chosen or "
        "labelled already, and from all cities in turn.",
    )
    parser.add_argument("--model", type=Path, required=True, help="Folder of a finished run.")
    parser.add_argument("--images", type=Path, required=True, help="Folder of images, or of a folder for each city.")
    parser.add_argument("--count", type=int, required=True, help="How many frames.")
    parser.add_argument("--out", type=Path, required=True, help="Folder for the list, thumbnails and a contact sheet.")
    given = parse(parser, words)
    from pixda.suggestion import suggest as choose

    for rank, one in enumerate(choose(given.model, given.images, given.count, given.out), start=1):
        print(f"{rank:3} {one.name}  uncertainty {one.uncertainty:.3f}")
    print(f"The list is {given.out / 'to_label.csv'}; look at {given.out / 'sheet.jpg'}.")
