"""The sentences of a check: unknown ids with where they are, palettes, shapes, files that share a flaw, copies."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pixda.data.dataset import SegmentationDataset
from pixda.data.look import Look

_NAMED_FILES = 3
_TOLD_APART = 12  # so many unknown ids get a sentence each


class UnknownLabels:
    """Ids or colours that the class set lacks, where they occur, and which label scheme would fit."""

    def __init__(self, dataset: SegmentationDataset) -> None:
        self._dataset = dataset
        self._holders: dict[int, list[str]] = {}
        self._files: list[str] = []
        self.total: Counter[int] = Counter()
        self.pixels = 0

    def add(self, look: Look) -> None:
        """Record one frame."""
        if look.unknown is None or not look.unknown_pixels:
            return
        self.pixels += look.unknown_pixels
        self._files.append(str(look.frame.mask))
        for code, pixels in zip(look.unknown.codes.tolist(), look.unknown.pixels.tolist(), strict=True):
            self.total[code] += pixels
            self._holders.setdefault(code, []).append(str(look.frame.mask))

    def sentences(self, known: set[int]) -> list[str]:
        """One for each code; one for all where there are many. `known`: the known codes that were seen."""
        codes = sorted(self.total)
        if not codes:
            return []
        labels, classes = self._dataset.labels, self._dataset.classes
        columns = classes.raw_colours if labels.coloured else classes.raw_ids
        fitting = [scheme for scheme, column in columns.items() if column.keys() >= known | set(codes)]
        hint = f"; all that was seen fits the label scheme {' or '.join(map(repr, fitting))}" if fitting else ""
        if len(codes) <= _TOLD_APART:
            return [
                f"{_hold(self._holders[code])} {self._dataset.unknown_ids([code])}{hint} "
                f"({self.total[code]} pixels, in {_first(self._holders[code])})"
                for code in codes
            ]
        often = [code for code, _ in self.total.most_common(_TOLD_APART)]
        if labels.coloured:
            hint += "; colours at the borders of things come from stretching or lossy compression: make such masks anew"
        return [
            f"{_hold(self._files)} {len(codes)} unknown labels, most often {self._dataset.unknown_ids(often)}{hint} "
            f"({self.pixels} pixels, in {_first(self._files)})"
        ]


class Palettes:
    """Whether the masks' palettes agree: some programs sort the palette anew for each file, and its indices with it."""

    def __init__(self) -> None:
        self._colours: dict[int, dict[str, str]] = {}  # index -> colour -> the first mask with it
        self._indices: dict[str, set[int]] = {}  # colour -> where it was seen
        self._doubled: set[str] = set()  # colours that one mask has at two indices

    def add(self, mask: str, palette: dict[int, str]) -> None:
        """Record one mask's palette, index -> colour."""
        for index, colour in palette.items():
            self._colours.setdefault(index, {}).setdefault(colour, mask)
            self._indices.setdefault(colour, set()).add(index)
        self._doubled.update(colour for colour, count in Counter(palette.values()).items() if count > 1)

    def problems(self) -> list[str]:
        """A sentence where one colour has different indices in different masks: the indices are no labels then."""
        for index, colours in self._disagreeing():
            if any(len(self._indices[colour]) > 1 and colour not in self._doubled for colour in colours):
                return [
                    f"The masks' palettes disagree: {self._named(index)}, and the same colours have other indices "
                    "elsewhere, so indices are no labels here. Read the colours instead: give the class set a column "
                    'of colours ("#804080"), and choose it as the label scheme.'
                ]
        return []

    def remarks(self) -> list[str]:
        """A sentence where only the colours of an index differ: its label is the same in any colour."""
        differing = self._disagreeing()
        if not differing or self.problems():
            return []
        more = f" (and {len(differing) - 1} more indices)" if len(differing) > 1 else ""
        return [
            f"The masks' palettes show one index in different colours: {self._named(differing[0][0])}{more}; their "
            "indices are read as labels, so see that this index means the same in both."
        ]

    def _disagreeing(self) -> list[tuple[int, dict[str, str]]]:
        return [(index, colours) for index, colours in sorted(self._colours.items()) if len(colours) > 1]

    def _named(self, index: int) -> str:
        (one, first), (other, second), *_ = self._colours[index].items()
        return f"index {index} is {one} in {first} and {other} in {second}"


class OddFiles:
    """Files that can be read and should be looked at. `coloured`: whether the masks are read as colours."""

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured
        self._constant: list[str] = []
        self._blank: list[str] = []
        self._upright: list[str] = []
        self._packed: list[str] = []
        self._packed_codes: set[int] = set()

    def add(self, look: Look) -> None:
        """Record one frame."""
        image, mask = str(look.frame.image), str(look.frame.mask)
        if look.turned and look.frame.mask is not None:
            self._upright.append(image)
        if look.blank:
            self._blank.append(image)
        if look.counts is None:
            return
        if len(look.counts.codes) == 1 and not look.unknown_pixels:
            self._constant.append(mask)
        if not self._coloured and look.mask is not None and re.search(r", [124]-bit grey ", look.mask):
            self._packed.append(mask)
            self._packed_codes.update(look.counts.codes.tolist(), look.unknown.codes.tolist() if look.unknown else ())

    def remarks(self) -> list[str]:
        """A sentence for each kind of oddity that occurs."""
        numbers = ", ".join(map(str, sorted(self._packed_codes)))
        return [
            *about(
                self._constant, "mask is", "masks are", "all of one label", "look at them: empty masks teach nothing"
            ),
            *about(self._blank, "image is", "images are", "all of one colour", "remove these frames"),
            *about(
                self._upright,
                "image is",
                "images are",
                "stored turned and shown upright (EXIF orientation)",
                "see that their masks are drawn on the upright picture: they are not turned",
            ),
            *about(
                self._packed,
                "mask is",
                "masks are",
                f"grey of fewer than 8 bits, read as the numbers {numbers}: white is the largest number that these "
                "bits can hold, 1 for one bit, not 255",
                "see that the class set lists these numbers",
            ),
        ]


def is_squeezed(shown: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether an image (width, height) is narrower or wider than `size` by more than half, as a portrait is."""
    one, other = shown[0] * size[1], shown[1] * size[0]
    return 2 * max(one, other) > 3 * min(one, other)


def squeezed(kinds: Mapping[str, int], size: tuple[int, int] | None) -> list[str]:
    """A sentence about images that lose their shape at the network's size, or none.

    Args:
        kinds: size and kind of images -> how many, as in a check's report.
        size: (width, height) of the network; None compares with the most frequent size, as all images of a run are
            brought to one.
    """
    shapes: Counter[tuple[int, int]] = Counter()
    for kind, count in kinds.items():
        width, _, height = kind.partition(",")[0].partition(" x ")
        shapes[int(width), int(height)] += count
    if not shapes:
        return []
    common = size or shapes.most_common(1)[0][0]
    other = {shape: count for shape, count in shapes.items() if is_squeezed(shape, common)}
    if not other:
        return []
    named = _first([f"{width} x {height}" for width, height in other])
    return [
        f"{sum(other.values())} of {shapes.total()} images have another shape ({named}) than "
        f"{'the network works at' if size else 'most'}, {common[0]} x {common[1]}, and would be squeezed to it; "
        "cut them to that shape, or leave them out."
    ]


def _hold(files: Sequence[str]) -> str:
    return f"{len(files)} masks hold" if len(files) > 1 else "One mask holds"


def _first(files: Sequence[str]) -> str:
    return ", ".join(files[:_NAMED_FILES]) + (", ..." if len(files) > _NAMED_FILES else "")


def about(files: Sequence[str], one: str, many: str, what: str, todo: str) -> list[str]:
    """A sentence about some files, or none."""
    return [f"{len(files)} {one if len(files) == 1 else many} {what} ({_first(files)}); {todo}."] if files else []


def copies(names: Sequence[str], digests: dict[str, str]) -> list[str]:
    """Sentences about frames that a list holds twice, and about equal pictures of different names."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    by_digest: dict[str, list[str]] = {}
    for name, digest in digests.items():
        by_digest.setdefault(digest, []).append(name)
    equal = [" = ".join(group) for group in by_digest.values() if len(group) > 1]
    return [
        *about(twice, "frame is", "frames are", "in the list twice", "it is drawn twice as often as others"),
        *about(equal, "picture is", "pictures are", "there under several names", "keep one frame of each"),
    ]
