"""Looking for files in folders, with an account of what was left out and why."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pixda.errors import UserError


class Search:
    """Finds files by their endings. Hidden files and hidden folders are never looked at.

    Args:
        strict: whether a file or a folder that cannot be used is an error. Without it, it is left out, and
            `mistakes` tells of it.
    """

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._unopened: list[str] = []
        self._misnamed: list[str] = []
        self._twice: list[str] = []
        self._linked: list[str] = []
        self._others: Counter[str] = Counter()
        self._first_other = ""

    def walk(self, folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
        """As `os.walk`, in order of names, through linked folders too, but each folder once."""
        seen: dict[Path, Path] = {}
        for inside, folders, files in os.walk(folder, onerror=self._unreadable, followlinks=True):
            place = Path(inside)
            first = seen.setdefault(place.resolve(), place)
            if first != place:  # a link back up, or two links to one folder
                folders.clear()
                self._linked.append(f"{printable(place)} leads to {printable(first)}")
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield place, folders, sorted(name for name in files if not name.startswith("."))

    def files(self, folder: Path, suffixes: Sequence[str], ending: str = "") -> dict[str, Path]:
        """Return the files right in `folder` by stem, less the `ending` that each of them must have.

        A folder that is not there holds none.
        """
        found: dict[str, Path] = {}
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            self._unreadable(error)
            names = []
        self._add(found, "", folder, names, suffixes, ending)
        return found

    def files_by_city(self, folder: Path, suffixes: Sequence[str], ending: str = "") -> dict[str, Path]:
        """Return the files in `folder` by stem, and those in folders below it by "<folders>/<stem>", at any depth."""
        found: dict[str, Path] = {}
        if folder.is_dir():
            for place, _, names in self.walk(folder):
                city = place.relative_to(folder).as_posix()
                self._add(found, "" if city == "." else f"{city}/", place, names, suffixes, ending)
        return found

    def _add(
        self, found: dict[str, Path], city: str, place: Path, names: Sequence[str], suffixes: Sequence[str], ending: str
    ) -> None:
        for path in (place / name for name in names if not name.startswith(".")):
            if path.suffix.lower() not in suffixes:
                if not ending:  # where names have an ending, other files are expected beside them
                    self.pass_over(path)
            elif path.stem.endswith(ending):
                name = city + path.stem.removesuffix(ending)
                if not _is_text(city + path.name):  # old archives keep names in other encodings than UTF-8
                    self._wrong(self._misnamed, printable(path))
                elif name in found:
                    self.found_twice(found[name], path)
                else:
                    found[name] = path

    def pass_over(self, path: Path) -> None:
        """Count a file of a kind that is not read."""
        self._first_other = self._first_other or printable(path)
        self._others[printable(path.suffix.lower() or path.name)] += 1

    def found_twice(self, first: Path, other: Path) -> None:
        """Note two files of which only the first can be used."""
        self._wrong(self._twice, f"{first} and {other.name}")

    @property
    def mistakes(self) -> list[str]:
        """What could not be used, a sentence for each kind: folders that cannot be opened, names, two files of one."""
        sentences = []
        if self._unopened:
            sentences.append(
                f"{_first(self._unopened)} cannot be opened: give yourself the right to read it, or take it away."
            )
        if self._misnamed:
            sentences.append(
                f"{_first(self._misnamed)} has a name that is no UTF-8: rename it "
                "(convmv -r -f latin1 -t utf8 --notest does so for a whole folder)."
            )
        if self._twice:
            sentences.append(f"{_first(self._twice)} are two files for one frame; remove one of them.")
        return sentences

    @property
    def remarks(self) -> list[str]:
        """What was left out and is no mistake: folders that links lead to again, files of other kinds."""
        sentences = []
        if self._linked:
            sentences.append(f"Not looked through again: {_first(self._linked)}.")
        if self._others:
            counts = ", ".join(f"{count} {ending}" for ending, count in self._others.most_common(6))
            sentences.append(f"Passed over, of kinds that are not read here: {counts} (first {self._first_other}).")
        return sentences

    @property
    def account(self) -> list[str]:
        """All sentences: mistakes, then remarks."""
        return [*self.mistakes, *self.remarks]

    def _unreadable(self, error: OSError) -> None:
        self._wrong(self._unopened, f"{printable(error.filename)} ({error.strerror})")

    def _wrong(self, mistakes: list[str], what: str) -> None:
        mistakes.append(what)
        if self._strict:
            raise UserError(self.mistakes[0])


def printable(name: str | Path) -> str:
    """A file's name as text that can be printed and stored, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _first(things: Sequence[str]) -> str:
    return things[0] + (f" (and {len(things) - 1} more like this)" if len(things) > 1 else "")
