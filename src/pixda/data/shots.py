"""Which few target frames are labelled: published lists, draws, lists that cover the classes, and manifests."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixda.data.dataset import SegmentationDataset
from pixda.data.files import IMAGE_SUFFIXES
from pixda.data.frames import Frame
from pixda.data.parallel import in_threads
from pixda.errors import UserError
from pixda.reading import one_line, read_json, read_text

_LISTS = Path(__file__).with_name("lists")
_GTA5_FRAMES = 24966


def published(k: int) -> list[str]:
    """Return the published Cityscapes list of K = 1..5 frames for each of the 18 training cities.

    Names are "<city>/<stem>", in the published order (FSDA and PixDA: one and the same list). Two flaws are
    kept, as results are compared on these very lists. They are not nested (1-shot shares no frame with
    2-shot), so another K is also another sample. The 5-shot list has 90 lines but 89 different frames:
    "zurich/zurich_000112_000019" is there twice, and is drawn twice as often as the others.
    """
    if k not in range(1, 6):
        raise UserError(f"There are published lists for 1 to 5 shots, not for {k}; draw a list instead.")
    return _lines(f"cityscapes_{k}_shot.txt")


def published_flaws(k: int) -> list[str]:
    """Return what is wrong with the published list of K frames a city, a sentence each."""
    names = published(k)
    flaws = [f"{name} is in the list twice." for name, count in Counter(names).items() if count > 1]
    for few in range(max(k - 1, 1), min(k + 1, 5)):
        smaller = set(published(few))
        if lost := len(smaller - set(published(few + 1))):
            flaws.append(
                f"{lost} of the {len(smaller)} frames for K = {few} are not in the list for K = {few + 1}: a curve "
                "over K compares different frames."
            )
    return flaws


def gta5_training_names() -> list[str]:
    """Return the 22 061 GTA5 frames ("00001") that FSDA and PixDA train on, of the 24 966 there are."""
    excluded = {int(number) for line in _lines("gta5_excluded.txt") for number in line.split()}
    return [f"{number:05d}" for number in range(1, _GTA5_FRAMES + 1) if number not in excluded]


def draw(frames: Sequence[Frame], k: int, seed: int) -> list[str]:
    """Draw K frames of every city; the same ones for any order of `frames`.

    The list for K is the beginning of the list for K + 1 with the same seed, so a curve over K only ever adds
    frames; a city's frames do not depend on which other cities there are. Raises UserError where a city has
    fewer than K.
    """
    if k < 1:
        raise UserError(f"The number of shots must be 1 or more, not {k}.")
    cities = _ranked(frames, seed)
    for city, names in cities.items():
        if len(names) < k:
            raise UserError(f"{k} shots were asked for, but the city '{city}' has {len(names)} frames.")
    return [names[shot] for shot in range(k) for names in cities.values()]


def draw_total(frames: Sequence[Frame], count: int, seed: int) -> list[str]:
    """Draw so many frames in all, spread over the cities; the list for N is the beginning of the one for N + 1.

    No city gives its next frame before every other one has given as many, or all it has; in which order they
    take turns is drawn too. Raises UserError where there are fewer frames.
    """
    if not 1 <= count <= len({frame.name for frame in frames}):
        raise UserError(f"{count} shots were asked for; from 1 to {len(frames)} can be drawn.")
    turns = [
        (shot, _sha256(f"{seed}\n{shot}\n{city}"), name)
        for city, names in _ranked(frames, seed).items()
        for shot, name in enumerate(names)
    ]
    return [name for _, _, name in sorted(turns)[:count]]


def rank(seed: int, name: str) -> str:
    """Return what frames are sorted by to be drawn: a hash, which stays what it is in any library version."""
    return _sha256(f"{seed}\n{name}")


def _ranked(frames: Sequence[Frame], seed: int) -> dict[str, list[str]]:
    """City to its frames in the order in which they are drawn; cities in the order of the alphabet."""
    cities: dict[str, set[str]] = {}
    for frame in frames:
        cities.setdefault(frame.city, set()).add(frame.name)
    return {city: sorted(cities[city], key=lambda name: rank(seed, name)) for city in sorted(cities)}


LEAST_SHARE = 1e-4
"""A class is in a frame if it has this part of its pixels: 17 of 480 x 360, 210 of 2048 x 1024."""


def classes_in(dataset: SegmentationDataset, progress: bool = True) -> np.ndarray:
    """Return which frame shows which class: bool (frames x classes), as stored.

    Raises UserError naming a mask that cannot be read. Ids outside the class set count for no class.
    """
    count = len(dataset.classes.names)

    def shown(frame: Frame) -> np.ndarray:
        pixels = np.zeros(256)
        if frame.mask is not None:
            found = dataset.labels.count(dataset.read_mask(frame.mask))
            np.add.at(pixels, dataset.labels.classes_of(found.codes), found.pixels)
        return np.asarray(pixels[:count] >= max(1.0, LEAST_SHARE * pixels.sum()))

    title = f"Reading the labels of {dataset.title} {dataset.split}"
    with in_threads(shown, dataset.frames, title, progress) as rows:
        return np.array(list(rows))


def cover(names: Sequence[str], shown: np.ndarray, seed: int, count: int | None = None) -> list[str]:
    """Choose frames greedily: the next one shows the most classes that none before it shows.

    Between equals: the one with more classes in all, then the seed's draw. Once everything is shown, it begins
    again with the frames that are left, so that the list for N is the beginning of the list for N + 1.

    Args:
        names: frame names.
        shown: bool (frames x classes), from `classes_in`.
        seed: of the draw between equals.
        count: number of frames; None ends when every class that any frame shows is there.
    """
    if count is not None and not 1 <= count <= len(names):
        raise UserError(f"{count} shots were asked for; there are {len(names)} frames to choose from.")
    left = sorted(range(len(names)), key=lambda i: (-int(shown[i].sum()), rank(seed, names[i])))
    everything = shown.any(axis=0)
    if not everything.any():
        raise UserError("No frame shows any class: the masks hold ignored labels alone; see pixda check.")
    missing = everything.copy()
    chosen: list[int] = []
    while left and (len(chosen) < count if count is not None else missing.any()):
        gains = (shown[left] & missing).sum(axis=1)
        if not gains.any() and missing.sum() < everything.sum():
            missing = everything.copy()
            continue
        best = left.pop(int(gains.argmax()))
        chosen.append(best)
        missing &= ~shown[best]
    return [names[index] for index in chosen]


class Manifest(NamedTuple):
    """A list of frames that can be exchanged and checked."""

    names: list[str]
    how: str
    """How the list came about, for people."""
    sha256: str
    """Over the names joined by newlines: equal hashes, equal frames in equal order."""


def write_manifest(path: Path, names: Sequence[str], how: str) -> Manifest:
    """Write frame names to a JSON file, with a hash that tells whether two results rest on one list."""
    manifest = Manifest(list(names), how, _sha256("\n".join(names)))
    content = {"how": how, "count": len(names), "sha256": manifest.sha256, "names": manifest.names}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read what `write_manifest` wrote, or a text file (.txt, .lst) of one name a line.

    Raises UserError where names and hash do not agree, or where a text names a frame twice.
    """
    if path.suffix.lower() in (".txt", ".lst"):
        return _read_text_list(path)
    content = read_json(path, "The frame list")
    try:
        names, how, stored = content["names"], content["how"], content["sha256"]
        if not isinstance(names, list):
            raise TypeError("'names' is no list")
        actual = _sha256("\n".join(names))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The frame list {path} cannot be read as a manifest ({one_line(error)}): write one with pixda shots."
        ) from error
    if stored != actual:
        raise UserError(
            f"The frame list {path} was changed after it was written: its names hash to {actual[:12]}, "
            f"the file says {str(stored)[:12]}. Write it anew, so that results are not mixed up."
        )
    return Manifest(list(names), str(how), actual)


def _read_text_list(path: Path) -> Manifest:
    """One name a line, with or without the ending of its image; empty lines and comments (#) are left out."""
    names: list[str] = []
    for line in map(str.strip, read_text(path, "The frame list").splitlines()):
        if line and not line.startswith("#"):
            stem, dot, ending = line.rpartition(".")
            names.append(stem if dot + ending.lower() in IMAGE_SUFFIXES else line)
    if not names:
        raise UserError(f"The frame list {path} names no frame: write one name a line.")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise UserError(f"The frame list {path} names {twice[0]} more than once; keep one line of each.")
    return Manifest(names, f"the list {path.name}", _sha256("\n".join(names)))


def _lines(name: str) -> list[str]:
    text = (_LISTS / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
