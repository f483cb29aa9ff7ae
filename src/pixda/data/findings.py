"""The sentences of a check: unknown ids with where they are, files that share a flaw, copies of pictures."""

from collections import Counter
from collections.abc import Sequence

from pixda.data.dataset import SegmentationDataset
from pixda.data.look import Look

_NAMED_FILES = 3
_TOLD_APART = 12  # so many unknown ids get a sentence each


class Strange:
    """The ids or colours that the class set does not have, where they are, and what might be meant."""

    def __init__(self, dataset: SegmentationDataset) -> None:
        self._dataset = dataset
        self._holders: dict[int, list[str]] = {}
        self._files: list[str] = []
        self.total: Counter[int] = Counter()
        self.pixels = 0

    def add(self, look: Look) -> None:
        """Take note of one frame."""
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
    """Whether an index means one colour in all palette masks: some programs sort the palette anew for each file."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[str, str]] = {}

    def add(self, mask: str, palette: dict[int, str]) -> None:
        """Take note of one mask's palette, index -> colour."""
        for index, colour in palette.items():
            self._seen.setdefault(index, {}).setdefault(colour, mask)

    def sentences(self) -> list[str]:
        """One where the palettes disagree, with the index and two files to look at."""
        for index, colours in sorted(self._seen.items()):
            if len(colours) > 1:
                (one, first), (other, second), *_ = colours.items()
                return [
                    f"The masks' palettes disagree: index {index} is {one} in {first} and {other} in {second}, so "
                    "their indices are no labels. Read their colours instead: give the class set a column of "
                    'colours ("#804080"), and choose it as the label scheme.'
                ]
        return []


def _hold(files: Sequence[str]) -> str:
    return f"{len(files)} masks hold" if len(files) > 1 else "One mask holds"


def _first(files: Sequence[str]) -> str:
    return ", ".join(files[:_NAMED_FILES]) + (", ..." if len(files) > _NAMED_FILES else "")


def told(files: Sequence[str], one: str, many: str, what: str, todo: str) -> list[str]:
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
        *told(twice, "frame is", "frames are", "in the list twice", "it is drawn twice as often as others"),
        *told(equal, "picture is", "pictures are", "there under several names", "keep one frame of each"),
    ]
