"""Writes an export as a dataset (images, masks, class set) and reports what could not be used."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from pixda.data.class_file import IGNORE
from pixda.data.classes import ClassSet
from pixda.data.exports import Kind
from pixda.data.files import IMAGE_SUFFIXES, read_image
from pixda.errors import UserError
from pixda.importing.classes import COLUMN, classes_from, index_of, write_classes
from pixda.importing.export import Annotated, Export
from pixda.importing.kinds import READERS, recognise
from pixda.importing.pictures import Images, parts_of
from pixda.importing.regions import MOST_PIXELS, Painted, paint
from pixda.writing import atomic_write

CLASS_FILE = "classes.yaml"


@dataclass
class Imported:
    """What was written, and notes for the user."""

    kind: Kind
    root: Path
    split: str
    classes: ClassSet
    written: int = 0
    """Images."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what was left out or may surprise."""


@dataclass
class _Counts:
    """What is counted while images are written; each becomes a note."""

    missing: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    nameless: Counter[str] = field(default_factory=Counter)
    covered: int = 0
    covered_in: int = 0
    unlabelled: int = 0
    pixels: int = 0

    def add(self, painted: Painted) -> None:
        """Count what a mask shows."""
        self.nameless.update(painted.nameless)
        self.covered += painted.covered
        self.covered_in += painted.covered > 0
        self.unlabelled += int((painted.mask == IGNORE).sum())
        self.pixels += painted.mask.size


def import_export(
    path: Path,
    out: Path,
    images: Path | None = None,
    kind: Kind | None = None,
    split: str = "all",
    classes: str | Path | None = None,
) -> Imported:
    """Write an export as a folder dataset: `images/`, `masks/`, and `classes.yaml` with the column "imported".

    Args:
        path: the exported file, or a folder that holds one.
        out: the dataset's folder; if it has a `classes.yaml`, that is kept, so that splits can be added.
        images: folder of the images, looked through with its sub-folders; None: where the export is.
        kind: which export to take where a folder holds several.
        split: name of a folder inside `images/` and `masks/`; "all" means no such folder.
        classes: class set that has the labels as names; None: every label is a class.

    Raises:
        UserError: no export, a damaged one, no image that can be used, or a split that is there already.
    """
    found = recognise(path, kind)
    export = READERS[found.kind](found.path)
    if not export.images:
        raise UserError(f"{found.path} has no annotated images: export the project again, with annotations.")
    inside = "" if split == "all" else split
    if len(Path(inside).parts) > 1 or inside in ("..", "."):
        raise UserError(f"A split is a name such as train or val, not '{split}'.")
    for what in ("images", "masks"):
        folder = out / what / inside
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} holds files already: choose another --split, or another --out.")
    class_set = _class_set(export, out, classes)
    imported = Imported(found.kind, out, split, class_set)
    counts = _Counts()
    folder = images if images is not None else found.path if found.path.is_dir() else found.path.parent
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: name the one that holds the images.")
    library, index = Images(folder), index_of(export.labels, class_set)
    if not index:
        raise UserError(
            f"None of the labels ({', '.join(list(export.labels)[:8])}) is a class of '{class_set.name}' "
            f"({', '.join(class_set.names[:8])}): rename them in the class set or in the tool."
        )
    out.mkdir(parents=True, exist_ok=True)
    for stem, image in _stems(export.images).items():
        usable = _usable(image, library, counts)
        if usable is None:
            continue
        file, size = usable
        try:
            painted = paint(image.regions, size, index)
        except ValueError as error:
            raise UserError(f"What is drawn on '{image.name}' is damaged ({error}): export it again.") from error
        _write(file, painted.mask, out, f"{inside}/{stem}" if inside else stem)
        counts.add(painted)
        imported.written += 1
    imported.notes = [*_notes(export, counts, folder), *library.search.account]
    if not imported.written:
        raise UserError(f"No image of {found.path} could be used: {' '.join(imported.notes[:3])}")
    write_classes(out / CLASS_FILE, class_set)
    return imported


def _class_set(export: Export, out: Path, classes: str | Path | None) -> ClassSet:
    """The classes that the dataset has already, else the requested ones, else those of the export."""
    present = out / CLASS_FILE
    if present.is_file():
        if classes is not None:
            raise UserError(f"{present} says what the classes are: leave --classes out, or choose another --out.")
        class_set = ClassSet.load(present)
        column = class_set.raw_ids.get(COLUMN, {})
        if any(column.get(index) != index for index in range(len(class_set.names))):
            raise UserError(f"{present} is none that an import has written: choose another --out.")
        return class_set
    if classes is not None:
        return ClassSet.load(classes)
    return classes_from(export.labels, out.resolve().name or COLUMN)


def _stems(images: list[Annotated]) -> dict[str, Annotated]:
    """Where each image goes, without ending: "<city>/<stem>", or the stem alone.

    Folders that all images share are dropped; the folders below them become the city. Raises UserError if two images
    would have the same name.
    """
    parts = [parts_of(image.name) for image in images]
    shared = 0
    while all(len(one) > shared + 1 and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    stems: dict[str, Annotated] = {}
    for one, image in zip(parts, images, strict=True):
        city = "_".join(one[shared:-1])
        stem = f"{city}/{_stem(one[-1])}" if city else _stem(one[-1])
        if stem in stems:
            raise UserError(f"The export has two images '{stem}' ({stems[stem].name}, {image.name}): rename one.")
        stems[stem] = image
    return stems


def _stem(name: str) -> str:
    """A name without its image ending; a name that starts with a dot, as hidden files do, gets a "_"."""
    ending = Path(name).suffix.lower()
    stem = name[: -len(ending)] if ending in IMAGE_SUFFIXES else name
    return f"_{stem}" if stem.startswith(".") else stem


def _usable(image: Annotated, library: Images, counts: _Counts) -> tuple[Path, tuple[int, int]] | None:
    """The file of an image and its size (width, height); None, with the reason counted, if it cannot be used."""
    file = library.find(image.name)
    if file is None:
        counts.missing.append(image.name)
        return None
    if not image.regions:
        counts.empty.append(image.name)
        return None
    size = read_image(file).size
    if size[0] * size[1] > MOST_PIXELS:
        raise UserError(f"{file} is {_by(size)}, and {MOST_PIXELS} pixels in all are the most: make it smaller.")
    if image.size not in (None, size):
        counts.unequal.append(f"{file} is {_by(size)}, annotated at {_by(image.size or size)}")
        return None
    return file, size


def _write(file: Path, mask: np.ndarray, dataset: Path, name: str) -> None:
    """Copy an image file into `images/` of the dataset, and write its mask to `masks/`."""
    image_path = dataset / "images" / f"{name}{file.suffix.lower()}"
    mask_path = dataset / "masks" / f"{name}.png"
    for path in (image_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(image_path) as unfinished:  # unchanged: datasets turn it as its camera says when they read it
        shutil.copyfile(file, unfinished)
    with atomic_write(mask_path) as unfinished:
        Image.fromarray(mask).save(unfinished)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _notes(export: Export, counts: _Counts, folder: Path) -> list[str]:
    notes = []
    total = len(export.images)
    for left, why in (
        (counts.missing, f"not found in {folder} and its sub-folders (--images names another)"),
        (counts.unequal, "of another size than they were annotated at"),
        (counts.empty, "without any area drawn on them"),
    ):
        if left:
            notes.append(f"{len(left)} of {total} images left out, {why}: first {left[0]}.")
    for kind, count in export.left_out.items():
        notes.append(f"Left out, no area: {kind} ({count}).")
    for label, count in counts.nameless.items():
        notes.append(f"The label '{label}' is no class: {count} of its areas left out.")
    if counts.covered:
        notes.append(
            f"{counts.covered} pixels in {counts.covered_in} images were drawn by several labels: the topmost one, or "
            "else the later one, counts."
        )
    if counts.unlabelled:
        share = 100 * counts.unlabelled / counts.pixels
        notes.append(f"{share:.1f} % of the pixels have no label: they are 255 in the masks, and ignored.")
    return notes
