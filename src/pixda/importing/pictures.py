"""Finds the images that an export names."""

from collections import defaultdict
from pathlib import Path, PurePosixPath

from pixda.data.files import IMAGE_SUFFIXES
from pixda.data.search import Search
from pixda.errors import UserError
from pixda.importing.label_studio import without_upload_mark


class Images:
    """All images below a folder.

    Args:
        folder: searched with its sub-folders; an export cannot name files outside it.
    """

    def __init__(self, folder: Path) -> None:
        self.search = Search()
        """Remembers the folders that could not be read."""
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        for place, _, names in self.search.walk(folder):
            masks = "SegmentationClass" in place.parts or "SegmentationObject" in place.parts
            for path in (place / name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES):
                self._by_name[path.name].append(path)
                if not masks:
                    self._by_stem[path.stem].append(path)

    def find(self, name: str) -> Path | None:
        """The image that an export calls `name`; None if there is none.

        Of several files of that name, the one whose folders agree with most of the name's. A name without an ending
        (CVAT's masks) matches any ending. A name that is not found is tried again without the prefix that Label Studio
        gives to uploads. Raises UserError if two files fit equally well.
        """
        wanted = parts_of(name)
        for last in (wanted[-1], without_upload_mark(wanted[-1])):
            if found := self._by_name[last] or self._by_stem[last]:
                return self._best(found, (*wanted[:-1], last))
        return None

    def _best(self, found: list[Path], wanted: tuple[str, ...]) -> Path:
        def agreeing(path: Path) -> int:
            parts = (*path.parts[:-1], wanted[-1])
            pairs = zip(reversed(parts), reversed(wanted), strict=False)
            return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(parts), len(wanted)))

        first, *others = sorted(found, key=lambda path: (-agreeing(path), path))
        if others and agreeing(others[0]) == agreeing(first):
            raise UserError(f"{first} and {others[0]} could both be the image '{'/'.join(wanted)}': take one away.")
        return first


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file of a name, written on any system, without "..", drives and roots.

    Raises UserError if nothing is left.
    """
    parts = PurePosixPath(name.replace("\\", "/").replace("\0", "")).parts
    kept = tuple(part for part in parts if part not in ("/", "//", ".", "..") and not part.endswith(":"))
    if not kept:
        raise UserError(f"The export names an image '{name[:100]}', which is no file name.")
    return kept
