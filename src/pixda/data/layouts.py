"""Finds out which of the known layouts a folder has, and which options read it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.exports import Found, exports_in
from pixda.data.files import IMAGE_SUFFIXES, MASK_SUFFIXES, kind_of, read_palette
from pixda.data.findings import Palettes
from pixda.data.labels import Labels
from pixda.data.open import DATASETS
from pixda.data.public_datasets import idda_scenarios
from pixda.data.search import Search
from pixda.errors import UserError

_SPLITS = ("train", "val", "test", "training", "validation", "testing", "valid", "all")
_SAMPLED = 24  # masks that are opened to tell their label scheme


class Recognised(NamedTuple):
    """A folder that can be read."""

    data: Data
    why: str
    """What was seen there, one sentence."""

    def options(self, name: str = "data") -> str:
        """Return the options that read it, as they are typed."""
        words = {"dataset": self.data.dataset, "root": self.data.root, "split": self.data.split}
        if self.data.scheme is not None:
            words["scheme"] = self.data.scheme
        return " ".join(f"--{name}.{key} {value}" for key, value in words.items())


def recognise(folder: Path, classes: ClassSet) -> list[Recognised]:
    """Find the layout of `folder` or of a folder right in it: one entry for each split.

    Raises UserError where nothing known is found, with what is there and what to do.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}; give the folder that holds the dataset.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if found := _known(folder, classes):
        return found
    # One folder a split, with images/ and masks/ in each, or the dataset in a folder of its own.
    if found := [one for root in inside for one in _known(root, classes)]:
        return found
    raise UserError(_nothing_known(folder, inside))


def _known(root: Path, classes: ClassSet) -> list[Recognised]:
    if (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir():
        why = "leftImg8bit/ beside gtFine/ is the official Cityscapes tree"
        return [Recognised(Data("cityscapes", root, split), why) for split in _splits_in(root / "gtFine")]
    if (root / "RGB").is_dir() and (root / "GT" / "LABELS").is_dir():
        return [Recognised(Data("synthia", root), "RGB/ beside GT/LABELS/ is SYNTHIA-RAND-CITYSCAPES")]
    if (root / "rgb").is_dir() and (root / "ss").is_dir():
        return [Recognised(Data("urbansyn", root), "rgb/ beside ss/ is UrbanSyn")]
    if (root / "img" / "rgb").is_dir() and (root / "img" / "class").is_dir():
        return [Recognised(Data("synscapes", root), "img/rgb/ beside img/class/ is Synscapes")]
    if scenarios := idda_scenarios(root):
        why = f"RGB/ beside Semantic/ in folders such as {scenarios[0].name}/ is IDDA, a folder a scenario"
        return [Recognised(Data("idda", root, "all"), why)]
    if (root / "RGB").is_dir() and (root / "Semantic").is_dir():
        return [Recognised(Data("idda", root.parent, root.name), "RGB/ beside Semantic/ is one scenario of IDDA")]
    masks = _masks_in(root)
    if masks is None:
        return []
    found = {split: Search().files_by_city(masks / split, MASK_SUFFIXES) for split in _splits_in(masks) or [""]}
    found = {split: files for split, files in found.items() if files}  # of a test split the masks may be secret
    if not found:
        return []
    splits = [split for split in found if split]
    first = next(path for files in found.values() for path in files.values())
    published = masks.name == "labels" and first.suffix == ".png"
    if published and not splits and len(first.stem) == 5 and first.stem.isdigit():
        return [
            Recognised(Data("gta5", root, "all"), f"images/ beside labels/ with names such as {first.name} is GTA5")
        ]
    if published and splits and _is_camvid(first):
        why = f"images/ beside labels/, each with {', '.join(splits)}, and names such as {first.name} are CamVid's"
        return [Recognised(Data("camvid", root, split), why) for split in splits]
    return [
        _own_folder(root, masks.name, split or "all", list(files.values()), classes) for split, files in found.items()
    ]


def _masks_in(root: Path) -> Path | None:
    """The folder of masks beside images/; None where either is missing."""
    kinds = ("masks", "labels") if (root / "images").is_dir() else ()
    return next((root / kind for kind in kinds if (root / kind).is_dir()), None)


def _splits_in(folder: Path) -> list[str]:
    """Folders named as splits usually are; other folders are cities."""
    return [split for split in _SPLITS if (folder / split).is_dir()]


def _is_camvid(mask: Path) -> bool:
    sequence, _, number = mask.stem.partition("_")
    return len(sequence) == 6 and (number.isdigit() or number[1:].isdigit())


def _own_folder(root: Path, kind: str, split: str, masks: list[Path], classes: ClassSet) -> Recognised:
    some: list[Path] = []
    trouble: UserError | None = None
    palettes = Palettes()
    for path in masks[:: max(1, len(masks) // _SAMPLED)][:_SAMPLED]:
        try:
            palettes.add(str(path), read_palette(path))
            some.append(path)
        except UserError as error:  # the check names each mask that cannot be decoded
            trouble = error
    if not some and trouble is not None:
        raise trouble
    kinds = sorted({kind_of(path) for path in some})
    disordered = palettes.problems()
    schemes = _fitting_schemes(some, classes, indices=not disordered)
    why = f"images/ beside {kind}/ is a folder dataset; its masks are {', '.join(kinds)}"
    if disordered:
        why += f". {disordered[0].removesuffix('.')}"
    if not schemes and disordered:
        raise UserError(f"{root}: {why}.")
    if not schemes:
        raise UserError(
            f"{root}: {why}, and no label scheme of class set '{classes.name}' has all their labels: "
            f"{', '.join(_labels_seen(some))}. Copy the class set's YAML file, add a column that gives each of them to "
            "a class or to 'ignore', and name the copy as --classes."
        )
    why += f"; their labels fit the scheme{'s' if len(schemes) > 1 else ''} {', '.join(schemes)}"
    if len(schemes) > 1:
        why += " (see in the table below whether the first means what the masks show)"
    return Recognised(Data("folder", root, split, schemes[0]), why)


def _fitting_schemes(files: list[Path], classes: ClassSet, indices: bool) -> list[str]:
    """Schemes that know every label in these masks, those with the fewest unused labels first.

    `indices`: whether the numbers of palette masks may be labels.
    """
    fitting: dict[str, int] = {}
    for scheme in classes.schemes:
        labels = classes.labels(scheme)
        try:
            seen = _codes(files, labels)
        except UserError:  # not of the scheme's kind: grey for colours, or the other way round
            continue
        if seen <= set(labels.codes.tolist()) and (labels.coloured or indices):
            fitting[scheme] = len(labels.codes) - len(seen)
    return sorted(fitting, key=lambda scheme: fitting[scheme])


def _codes(files: list[Path], labels: Labels) -> set[int]:
    return {int(code) for path in files for code in labels.count(labels.read(path)).codes}


def _labels_seen(files: list[Path], most: int = 40) -> Iterator[str]:
    for coloured in (False, True):
        labels = Labels("", coloured, {0: 0})
        try:
            seen = sorted(_codes(files, labels))
        except UserError:
            continue
        yield from map(labels.shown, seen[:most])
        if len(seen) > most:
            yield f"and {len(seen) - most} more"
        return


def _export_in(*folders: Path) -> Found | None:
    """The first export of an annotation tool; one that is damaged is none."""
    for folder in folders:
        with suppress(UserError):
            for found in exports_in(folder):
                return found
    return None


def _nothing_known(folder: Path, inside: list[Path]) -> str:
    """The sentence for a folder of no known layout: what is there, and what to do about it."""
    if (folder / "SegmentationClass").is_dir():
        return (
            f"{folder} holds masks in SegmentationClass/ (CVAT, Pascal VOC) and no images/: pixda import {folder} "
            "--images PICTURES --out DATASET makes a dataset of them. It needs labelmap.txt beside SegmentationClass/, "
            "with a line label:red,green,blue:: for each label; CVAT writes it."
        )
    if export := _export_in(folder, *inside):
        return (
            f"{folder} has labels as an annotation tool exports them (polygons and the like, {export.kind}) in "
            f"{export.path}, and training reads masks: pixda import {export.path} --out DATASET makes them."
        )
    if masks := _masks_in(folder):
        search = Search()
        search.files_by_city(masks, MASK_SUFFIXES)
        kinds = f"({', '.join(MASK_SUFFIXES)}; JPEG would change the labels)"
        return " ".join([f"{masks} holds no mask of a kind that is read {kinds}.", *search.account])
    pictures = {path: Search().files_by_city(path, IMAGE_SUFFIXES) for path in inside}
    pictures = {path: files for path, files in pictures.items() if files}
    pairs = [
        (len(pictures[a].keys() & pictures[b].keys()), a, b) for a in pictures for b in pictures if a.name < b.name
    ]
    common, one, other = max(pairs, default=(0, folder, folder), key=lambda pair: pair[0])
    if common:
        return (
            f"{folder} is of no known layout, but {common} files in {one.name}/ and {other.name}/ have equal names: "
            "call the folder of the pictures images/ and the folder of the masks masks/ (links will do); look again."
        )
    if Search().files_by_city(folder, IMAGE_SUFFIXES) or any(path.name == "images" for path in pictures):
        return (
            f"{folder} holds pictures and no masks: pixda suggest --images {folder} says which to label first, and "
            "masks of them go to masks/ beside images/."
        )
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    return (
        f"{folder} is of no known layout (tried: {', '.join(DATASETS)}, folder); found there: {found}. A dataset of "
        "your own has images/ and masks/ with equal file names."
    )
