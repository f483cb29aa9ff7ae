"""``pixda import``."""

from collections.abc import Sequence
from pathlib import Path

from pixda.data.exports import Kind
from pixda.options import make_parser, parse
from pixda.words import leading

_HELP = """Turn what was drawn in CVAT (for images 1.1, or segmentation masks), Label Studio (JSON), COCO (instances)
or Labelme into a folder of images and masks with a class set, which pixda check and pixda train take. Images are
copied."""


def import_(words: Sequence[str]) -> None:
    """Turn annotations of CVAT, Label Studio, COCO or Labelme into a dataset: pixda import FILE --out DIR."""
    words = leading(words, "--export")
    parser = make_parser("import", _HELP)
    parser.add_argument("--export", type=Path, required=True, help="The exported file, or a folder that holds one.")
    parser.add_argument("--out", type=Path, required=True, help="Folder for the dataset; splits can be added to one.")
    parser.add_argument(
        "--images", type=Path | None, default=None, help="Folder of the images; null: the folder of the export."
    )
    parser.add_argument(
        "--split", type=str, default="all", help="Folder for the frames inside images/ and masks/, such as train."
    )
    parser.add_argument(
        "--classes",
        type=str | None,
        default=None,
        help="Class set whose names the labels are; null: every label is a class, or as in --out already.",
    )
    parser.add_argument(
        "--kind", type=Kind | None, default=None, help="Which export is meant, where a folder holds several."
    )
    given = parse(parser, words)
    from pixda.importing.classes import COLUMN
    from pixda.importing.job import CLASS_FILE, import_export

    done = import_export(given.export, given.out, given.images, given.kind, given.split, given.classes)
    for note in done.notes:
        print(note)
    data = f"--data.dataset folder --data.root {done.root} --data.split {done.split} --data.scheme {COLUMN}"
    print(f"{done.written} images with masks, {len(done.classes.names)} classes, from {done.kind}: {done.root}")
    print(f"Look at them: pixda check {data} --classes {done.root / CLASS_FILE}")
