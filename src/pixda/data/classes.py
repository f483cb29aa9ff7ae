"""Class sets: names, colours, evaluation protocols, and which raw label id means which class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from pixda.data.class_file import IGNORE, MOST_CLASSES, read_class_file
from pixda.data.labels import UNKNOWN, Labels
from pixda.errors import UserError
from pixda.reading import one_line, read_yaml

__all__ = ["IGNORE", "UNKNOWN", "ClassSet"]

_SHIPPED = Path(__file__).with_name("class_sets")


@dataclass(frozen=True)
class ClassSet:
    """The classes of a task, and how each label scheme (dataset) writes them.

    A label scheme is a column of the YAML form: "cityscapes", "gta5", "synthia", "camvid", "carla", or any
    name a user gives to the ids, or the colours, of an own dataset.
    """

    name: str
    names: tuple[str, ...]
    """Class names in index order."""
    colours: tuple[tuple[int, int, int], ...]
    """RGB, 0..255, in index order."""
    protocols: Mapping[str, tuple[int, ...]]
    """Protocol name to class indices in rising order; `str(len(names))` always stands for all classes."""
    raw_ids: Mapping[str, Mapping[int, int]]
    """Label scheme to raw id (0..255) to class index, or IGNORE for a known id that is no class."""
    raw_colours: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """The same for schemes whose masks are pictures: colour (0xRRGGBB) to class index, or IGNORE."""

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a shipped class set by its name, or a user's own from a `.yaml` file.

        Raises UserError naming the file, the class and the value that is wrong.
        """
        path = Path(name_or_path).expanduser()
        if path.suffix not in (".yaml", ".yml"):
            shipped = sorted(file.stem for file in _SHIPPED.glob("*.yaml"))
            if str(name_or_path) not in shipped:
                raise UserError(
                    f"There is no class set '{str(name_or_path)[:200]}': the ones that come with PixDA are "
                    f"{', '.join(shipped)}; give one of your own as the path of a .yaml file."
                )
            path = _SHIPPED / f"{name_or_path}.yaml"
        values = read_yaml(path, "Class set")
        try:
            return cls(**read_class_file(values))
        except ValueError as error:
            raise UserError(f"Class set {path}: {one_line(error, 600)}.") from error

    @property
    def schemes(self) -> list[str]:
        """Names of all label schemes, of ids and of colours, in the order of the alphabet."""
        return sorted({**self.raw_ids, **self.raw_colours})

    def labels(self, scheme: str) -> Labels:
        """Return how masks of one label scheme are read. Raises UserError for a scheme that has no column."""
        return Labels(scheme, scheme in self.raw_colours, self._column(scheme))

    def palette(self) -> np.ndarray:
        """Return the uint8 table (256, 3) of class index to RGB; what is no class is black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colours)] = self.colours
        return table

    def missing_in(self, scheme: str) -> list[str]:
        """Return the names of the classes that a label scheme has no id or colour for."""
        labelled = set(self._column(scheme).values())
        return [name for index, name in enumerate(self.names) if index not in labelled]

    def _column(self, scheme: str) -> Mapping[int, int]:
        column = self.raw_ids.get(scheme) or self.raw_colours.get(scheme)
        if column is None:
            raise UserError(
                f"Class set '{self.name}' has no column for the label scheme '{scheme}'; "
                f"it has {', '.join(self.schemes)}. Add the column to a copy of its YAML file."
            )
        return column

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for model files and checkpoints."""
        return {
            "name": self.name,
            "names": list(self.names),
            "colours": [list(colour) for colour in self.colours],
            "protocols": {name: list(indices) for name, indices in self.protocols.items()},
            "raw_ids": _with_keys(str, self.raw_ids),
            "raw_colours": _with_keys(str, self.raw_colours),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`, also after a trip through JSON. Raises UserError for anything else."""
        try:
            stored = cls(
                name=data["name"],
                names=tuple(data["names"]),
                colours=tuple((int(red), int(green), int(blue)) for red, green, blue in data["colours"]),
                protocols={name: tuple(indices) for name, indices in data["protocols"].items()},
                raw_ids=_with_keys(int, data["raw_ids"]),
                raw_colours=_with_keys(int, data.get("raw_colours", {})),
            )
            stored._check()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"The stored class set is damaged or of another version: {one_line(error)}.") from error
        return stored

    def _check(self) -> None:
        """Raise ValueError for what no class file makes: a stored class set has not been through its reader."""
        count = len(self.names)
        indices = [index for members in self.protocols.values() for index in members]
        columns = [(255, ids) for ids in self.raw_ids.values()]
        columns += [(0xFFFFFF, colours) for colours in self.raw_colours.values()]
        meanings = {*range(count), IGNORE}
        if not all(isinstance(text, str) for text in (self.name, *self.names)) or len(set(self.names)) != count:
            raise ValueError("a name is no text, or is there twice")
        if not 1 <= count <= MOST_CLASSES or len(self.colours) != count:
            raise ValueError(f"{count} names and {len(self.colours)} colours")
        if any(not 0 <= part <= 255 for colour in self.colours for part in colour):
            raise ValueError("a colour is not of three numbers 0..255")
        if not all(self.protocols.values()) or any(index not in range(count) for index in indices):
            raise ValueError("a protocol is empty, or names a class that is not there")
        if any(not 0 <= code <= most or column[code] not in meanings for most, column in columns for code in column):
            raise ValueError("a label id or its class is out of range")


def _with_keys(kind: type[Any], columns: Mapping[str, Mapping[Any, int]]) -> dict[str, dict[Any, int]]:
    return {scheme: {kind(raw): int(index) for raw, index in ids.items()} for scheme, ids in columns.items()}
