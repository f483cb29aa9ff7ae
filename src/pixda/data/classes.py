"""Class sets: names, colours, evaluation protocols, and which raw label id means which class."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from pixda.errors import UserError

IGNORE = 255
"""Index of pixels that no loss and no metric counts, in every mask."""
UNKNOWN = 254
"""Value in a lookup table where the label scheme has no such raw id."""

_SHIPPED = Path(__file__).with_name("class_sets")
_MOST_CLASSES = 253  # one byte a pixel, less IGNORE and UNKNOWN, and a spare value

ClassIds = Mapping[int, int]


@dataclass(frozen=True)
class ClassSet:
    """The classes of a task, and how each label scheme (dataset) writes them.

    A label scheme is a column of the YAML form: "cityscapes", "gta5", "synthia", "camvid", "carla", or any
    name a user gives to the ids of an own dataset.
    """

    name: str
    names: tuple[str, ...]
    """Class names in index order."""
    colours: tuple[tuple[int, int, int], ...]
    """RGB, 0..255, in index order."""
    protocols: Mapping[str, tuple[int, ...]]
    """Protocol name to class indices in rising order; `str(len(names))` always stands for all classes."""
    raw_ids: Mapping[str, ClassIds]
    """Label scheme to raw id (0..255) to class index, or IGNORE for a known id that is no class."""

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
                    f"There is no class set '{name_or_path}': the ones that come with PixDA are "
                    f"{', '.join(shipped)}; give one of your own as the path of a .yaml file."
                )
            path = _SHIPPED / f"{name_or_path}.yaml"
        try:
            text = path.read_text(encoding="utf-8")
            twice = _repeated_key(yaml.compose(text, Loader=yaml.SafeLoader))
            data = yaml.safe_load(text)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"Class set {path} cannot be read: {' '.join(str(error).split())}") from error
        if twice is not None:
            raise UserError(f"Class set {path}: '{twice}' is given twice in one place.")
        try:
            return cls(**_parse(data))
        except ValueError as error:
            raise UserError(f"Class set {path}: {error}") from error

    def lookup(self, scheme: str) -> np.ndarray:
        """Return the uint8 table (256,) of one label scheme: raw id to class index, IGNORE or UNKNOWN."""
        table = np.full(256, UNKNOWN, np.uint8)
        for raw, index in self._column(scheme).items():
            table[raw] = index
        return table

    def palette(self) -> np.ndarray:
        """Return the uint8 table (256, 3) of class index to RGB; what is no class is black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colours)] = self.colours
        return table

    def missing_in(self, scheme: str) -> list[str]:
        """Return the names of the classes that a label scheme has no id for."""
        labelled = set(self._column(scheme).values())
        return [name for index, name in enumerate(self.names) if index not in labelled]

    def _column(self, scheme: str) -> ClassIds:
        if scheme not in self.raw_ids:
            raise UserError(
                f"Class set '{self.name}' has no column for the label scheme '{scheme}'; "
                f"it has {', '.join(sorted(self.raw_ids))}. Add the column to a copy of its YAML file."
            )
        return self.raw_ids[scheme]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for model files and checkpoints."""
        return {
            "name": self.name,
            "names": list(self.names),
            "colours": [list(colour) for colour in self.colours],
            "protocols": {name: list(indices) for name, indices in self.protocols.items()},
            "raw_ids": {
                scheme: {str(raw): index for raw, index in ids.items()} for scheme, ids in self.raw_ids.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`, also after a trip through JSON. Raises UserError for anything else."""
        try:
            return cls(
                name=data["name"],
                names=tuple(data["names"]),
                colours=tuple((int(red), int(green), int(blue)) for red, green, blue in data["colours"]),
                protocols={name: tuple(indices) for name, indices in data["protocols"].items()},
                raw_ids={
                    scheme: {int(raw): int(index) for raw, index in ids.items()}
                    for scheme, ids in data["raw_ids"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"The stored class set is damaged or of another version: {error!r}.") from error


def _repeated_key(node: yaml.Node | None, depth: int = 3) -> str | None:
    """Find a key written twice in one mapping: YAML keeps the last in silence, and a class would vanish."""
    if depth == 0 or not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if str(key.value) in seen:
            return str(key.value)
        seen.add(str(key.value))
        deeper = _repeated_key(value, depth - 1)
        if deeper is not None:
            return deeper
    return None


def _parse(data: object) -> dict[str, Any]:
    """Turn the YAML form into ClassSet's fields. Raises ValueError with the rest of the user's sentence."""
    top = _mapping(data, "the file")
    unknown = sorted(str(key) for key in top if key not in ("name", "classes", "ignore", "protocols"))
    if unknown:
        raise ValueError(f"unknown key '{unknown[0]}'; the keys are name, classes, ignore, protocols.")
    name = top.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"'name' must be a short text, not {name!r}.")
    classes = _mapping(top.get("classes"), "'classes'")
    if not 1 <= len(classes) <= _MOST_CLASSES:
        raise ValueError(f"'classes' holds {len(classes)} classes; 1 to {_MOST_CLASSES} are possible.")

    colours: list[tuple[int, int, int]] = []
    raw_ids: dict[str, dict[int, int]] = {}
    for index, (class_name, entry) in enumerate(classes.items()):
        if not isinstance(class_name, str):
            raise ValueError(f"the class name {class_name!r} is not a text; put it in quotes.")
        columns = dict(_mapping(entry, f"class '{class_name}'"))
        colours.append(_colour(class_name, columns.pop("colour", None)))
        for scheme, value in columns.items():
            ids = raw_ids.setdefault(str(scheme), {})
            _assign(ids, str(scheme), value, index, class_name, list(classes))
    for scheme, value in _mapping(top.get("ignore", {}), "'ignore'").items():
        if scheme not in raw_ids:
            raise ValueError(f"'ignore' names the label scheme '{scheme}', which no class has as a column.")
        _assign(raw_ids[scheme], scheme, value, IGNORE, "ignore", list(classes))
    return {
        "name": name,
        "names": tuple(classes),
        "colours": tuple(colours),
        "protocols": _protocols(_mapping(top.get("protocols", {}), "'protocols'"), list(classes)),
        "raw_ids": raw_ids,
    }


def _mapping(value: object, what: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a mapping (key: value), not {value!r}.")
    return value


def _colour(class_name: str, value: object) -> tuple[int, int, int]:
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value):
        return value[0], value[1], value[2]
    raise ValueError(f"class '{class_name}': 'colour' must be three whole numbers 0..255, not {value!r}.")


def _assign(ids: dict[int, int], scheme: str, value: object, index: int, class_name: str, names: list[str]) -> None:
    """Give the raw ids in `value` (7, "0-6", or a list of such) to one class of one scheme."""
    where = f"class '{class_name}', column '{scheme}'" if index != IGNORE else f"'ignore', scheme '{scheme}'"
    for item in value if isinstance(value, list) else [value]:
        match = re.fullmatch(r"(\d{1,3})\s*-\s*(\d{1,3})", str(item))
        if match:
            first, last = int(match[1]), int(match[2])
        elif type(item) is int:
            first = last = item
        else:
            raise ValueError(f'{where}: {item!r} is no label id; write 7, a range as "0-6", or a list.')
        if not 0 <= first <= last <= 255:
            raise ValueError(f"{where}: {item!r} is outside the label ids 0..255.")
        for raw in range(first, last + 1):
            if raw in ids:
                other = "ignore" if ids[raw] == IGNORE else names[ids[raw]]
                raise ValueError(f"{where}: the id {raw} is already given to '{other}'.")
            ids[raw] = index


def _protocols(data: Mapping[Any, Any], names: list[str]) -> dict[str, tuple[int, ...]]:
    protocols = {str(len(names)): tuple(range(len(names)))}
    for key, members in data.items():
        if not isinstance(members, list) or not members:
            raise ValueError(f"protocol '{key}' must be a list of class names, not {members!r}.")
        for member in members:
            if member not in names:
                raise ValueError(f"protocol '{key}' names the class {member!r}, which is not in 'classes'.")
        indices = tuple(sorted(names.index(member) for member in set(members)))
        if protocols.setdefault(str(key), indices) != indices:
            raise ValueError(f"protocol '{key}' must hold all {len(names)} classes, as its name says.")
    return protocols
