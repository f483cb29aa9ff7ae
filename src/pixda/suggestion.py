"""``pixda suggest``: a list of frames to label next, to be looked at."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning_fabric import Fabric
from PIL import Image

from pixda.config import Machine
from pixda.data.files import IMAGE_SUFFIXES
from pixda.data.search import Search
from pixda.data.shots import read_manifest, write_manifest
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.methods import METHODS
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.sheet import colourise, sheet
from pixda.typical import Candidate, Choice, choose, describe, entropy, see
from pixda.watch.progress import Display

_THUMBNAIL = (320, 240)
_HOW = "pixda suggest: greedy k-medoids of prediction and features, cities in turn"


def suggest(model: Path, images: Path, count: int, out: Path) -> list[Choice]:
    """Choose frames to label, and leave a to-do list in ``out``.

    Leaves ``to_label.csv``, ``to_label.json`` (a manifest for ``--target.shot_list`` once the masks are there),
    ``thumbnails/`` and ``sheet.jpg`` with image, prediction and uncertainty. Frames that the model learned from are
    not suggested; those of them that are among the images count as chosen before.

    Args:
        model: folder of a finished run.
        images: folder of images, or of folders of images, one for each city; or one that holds them in images/.
        count: number of frames.
        out: new or empty folder for the list.

    Raises:
        UserError: no model, no images, or fewer that can be read than asked for.
    """
    images = images / "images" if (images / "images").is_dir() else images
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another --out, so that two lists are not mixed up.")
    segmenter, made = load_model(model)
    search = Search()
    files = search.files_by_city(images, IMAGE_SUFFIXES)
    labelled = _labelled(model, made["method"])
    free = files.keys() - labelled
    if not 1 <= count <= len(free):
        raise UserError(
            f"{count} frames were asked for; {images} has {len(free)} that are not labelled yet "
            f"{' '.join(['(pictures right in it, or in a folder for each city).', *search.account])}"
        )
    width, height = made["config"]["size"]
    fabric = make_fabric(Machine())
    segmenter = segmenter.to(fabric.device).eval()
    with Display([], model.name) as display:
        for text in search.account:
            display.say(text)
        looked: dict[str, Candidate] = {}
        for done, (name, path) in enumerate(sorted(files.items()), start=1):
            city = name.rpartition("/")[0] or "all"
            try:
                looked[name] = describe(name, city, see(segmenter, path, (width, height), fabric))
            except UserError as error:
                display.say(f"{error} It is left out.")
            display.count("looking", done, len(files))
        if count > len(free & looked.keys()):
            raise UserError(f"{count} frames were asked for, and {len(free & looked.keys())} of {images} can be read.")
    known = [looked[name].descriptor for name in sorted(labelled & looked.keys())]
    chosen = choose([looked[name] for name in sorted(free & looked.keys())], count, known)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, chosen, files)
    _draw(out, chosen, files, segmenter, (width, height), fabric)
    return chosen


def _labelled(model: Path, method: str) -> set[str]:
    """The frames that the model learned from: those in its shots.json, unless it learned from the source alone."""
    path = (model if model.is_dir() else model.parent) / "shots.json"
    from_source_alone = method in METHODS and not METHODS[method].learns_from_shots
    return set(read_manifest(path).names) if path.is_file() and not from_source_alone else set()


def _write(out: Path, chosen: Sequence[Choice], files: Mapping[str, Path]) -> None:
    with (out / "to_label.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "name", "city", "file", "uncertainty", "distance"])
        for rank, one in enumerate(chosen, start=1):
            distance = "" if one.distance is None else f"{one.distance:.4f}"
            writer.writerow([rank, one.name, one.city, files[one.name], f"{one.uncertainty:.4f}", distance])
    write_manifest(out / "to_label.json", [one.name for one in chosen], _HOW)


def _draw(
    out: Path,
    chosen: Sequence[Choice],
    files: Mapping[str, Path],
    segmenter: Segmenter,
    size: tuple[int, int],
    fabric: Fabric,
) -> None:
    """A thumbnail of each frame, and a sheet of all: image, prediction, uncertainty (white: every class as likely)."""
    (out / "thumbnails").mkdir()
    rows: list[list[Image.Image]] = []
    sides: list[str] = []
    for rank, one in enumerate(chosen, start=1):
        seen = see(segmenter, files[one.name], size, fabric)
        grey = Image.fromarray((255 * entropy(seen.probabilities)).byte().numpy()).convert("RGB")
        rows.append([seen.image, colourise(seen.probabilities.argmax(0), segmenter.classes), grey])
        sides.append(f"{rank}  {one.city[-14:]}\n{one.name.rpartition('/')[2][-16:]}\n{one.uncertainty:.3f}")
        thumbnail = seen.image.copy()
        thumbnail.thumbnail(_THUMBNAIL)
        short = one.name.replace("/", "_")[-60:]  # no name of a file is too long then
        thumbnail.save(out / "thumbnails" / f"{rank:03}_{short}.jpg")
    sheet(rows, ["image", "prediction", "uncertainty"], sides).save(out / "sheet.jpg")
