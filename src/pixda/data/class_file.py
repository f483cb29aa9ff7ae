"""Reads the YAML file of a class set; every mistake in it is told in one sentence."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

IGNORE = 255
"""Class index, in every mask, of pixels that neither a loss nor a metric counts."""

MOST_CLASSES = 253  # one byte a pixel, less IGNORE, the mark of an unknown id, and a spare value


_CITYSCAPES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
    "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
    "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip

LABEL_NAMES: dict[str, tuple[str, ...]] = {
    "cityscapes": _CITYSCAPES,
    "gta5": (*_CITYSCAPES, "license plate"),
    "synthia": (
        "void", "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign",
        "pedestrian", "bicycle", "motorcycle", "parking", "road work", "traffic light", "terrain", "rider", "truck",
        "bus", "train", "wall", "lane marking",
    ),
    "idda": (
        "none", "building", "fence", "other", "pedestrian", "pole", "road line", "road", "sidewalk", "vegetation",
        "vehicles", "wall", "traffic sign", "traffic light", "guard rail", "dynamic", "bicycle", "motorcycle",
        "rider", "terrain", "sky", "rail track", "ground", "static",
    ),
    "carla": (
        "none", "building", "fence", "other", "pedestrian", "pole", "road line", "road", "sidewalk", "vegetation",
        "vehicle", "wall", "traffic sign",
    ),
    "carla29": (
        "unlabeled", "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
        "static", "dynamic", "other", "water", "road line", "ground", "bridge", "rail track", "guard rail",
    ),
    "camvid": (
        "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian",
        "bicyclist", "void",
    ),
}  # fmt: skip
"""Label scheme to the names of its ids 0, 1, 2, ..., in lower case."""


def read_class_file(data: Any) -> dict[str, Any]:
    """Return the fields of a ClassSet from the values of its file.

    Raises ValueError with the rest of the user's sentence.
    """
    top = _mapping(data, "the file")
    unknown = sorted(str(key) for key in top if key not in ("name", "classes", "ignore", "protocols"))
    if unknown:
        raise ValueError(f"unknown key '{unknown[0]}'; the keys are name, classes, ignore, protocols.")
    name = top.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"'name' must be a short text, not {name!r}.")
    classes = _mapping(top.get("classes"), "'classes'")
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"'classes' holds {len(classes)} classes; 1 to {MOST_CLASSES} are possible.")

    colours: list[tuple[int, int, int]] = []
    columns: dict[str, list[_Cell]] = {}
    for index, (class_name, entry) in enumerate(classes.items()):
        if not isinstance(class_name, str):
            raise ValueError(f"the class name {class_name!r} is not a text; put it in quotes.")
        cells = dict(_mapping(entry, f"class '{class_name}'"))
        spelt = [cells.pop(word) for word in ("colour", "color") if word in cells]
        if len(spelt) == 2:
            raise ValueError(f"class '{class_name}' has both 'colour' and 'color'; keep one.")
        colours.append(_colour(class_name, spelt[0] if spelt else None))
        for scheme, value in cells.items():
            where = f"class '{class_name}', column '{scheme}'"
            columns.setdefault(str(scheme), []).append(_Cell(index, value, where))
    for scheme, value in _mapping(top.get("ignore", {}), "'ignore'").items():
        if scheme not in columns:
            raise ValueError(f"'ignore' names the label scheme '{scheme}', which no class has as a column.")
        columns[scheme].append(_Cell(IGNORE, value, f"'ignore', scheme '{scheme}'"))

    names = list(classes)
    raw_ids, raw_colours = {}, {}
    for scheme, column in columns.items():
        if _holds_colours(column):
            raw_colours[scheme] = _filled(column, names, "colour #{:06x}", _colours_in)
        else:
            raw_ids[scheme] = _filled(column, names, "id {}", partial(_ids_in, scheme))
    return {
        "name": name,
        "names": tuple(names),
        "colours": tuple(colours),
        "protocols": _protocols(_mapping(top.get("protocols", {}), "'protocols'"), names),
        "raw_ids": raw_ids,
        "raw_colours": raw_colours,
    }


class _Cell(NamedTuple):
    """What a file gives to one class index (or IGNORE) in one column."""

    meaning: int
    value: Any
    where: str


def _mapping(value: object, what: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a mapping (key: value), not {value!r}.")
    return value


def _is_rgb(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value)


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value) is not None


def _colour(class_name: str, value: Any) -> tuple[int, int, int]:
    if _is_rgb(value):
        return value[0], value[1], value[2]
    raise ValueError(f"class '{class_name}': 'colour' must be three whole numbers 0..255, not {value!r}.")


def _holds_colours(column: list[_Cell]) -> bool:
    """Tell a column of colours from one of ids, where [1, 2, 3] alone could be either.

    It holds colours where an entry cannot be ids: "#804080" or a list within a list, or, if all are three
    numbers, two equal ones among the three. Masks that do not fit the guess are refused when they are read.
    """
    values = [cell.value for cell in column]
    if any(_is_hex(item) or _is_rgb(item) for value in values for item in _listed(value)):
        return True
    return all(map(_is_rgb, values)) and any(len(set(value)) < 3 for value in values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filled(column: list[_Cell], names: list[str], form: str, read: Callable[[_Cell], Iterator[int]]) -> dict[int, int]:
    """Give every id or colour of a column to its class. `form` shows one in an error."""
    given: dict[int, int] = {}
    for cell in column:
        for raw in read(cell):
            if raw in given:
                other = "ignore" if given[raw] == IGNORE else names[given[raw]]
                raise ValueError(f"{cell.where}: the {form.format(raw)} is already given to '{other}'.")
            given[raw] = cell.meaning
    return given


def _colours_in(cell: _Cell) -> Iterator[int]:
    """Yield each colour of an entry as 0xRRGGBB."""
    for item in [cell.value] if _is_rgb(cell.value) else _listed(cell.value):
        if _is_hex(item):
            yield int(item[1:], 16)
        elif _is_rgb(item):
            yield item[0] << 16 | item[1] << 8 | item[2]
        else:
            raise ValueError(
                f'{cell.where}: {item!r} is no colour, and the column has colours in it; write "#804080", '
                "[128, 64, 128], or a list of such."
            )


def _ids_in(scheme: str, cell: _Cell) -> Iterator[int]:
    """Yield each id of an entry: 7, "0-6", "traffic light" where the scheme's names are known, or a list."""
    for item in _listed(cell.value):
        match = re.fullmatch(r"(\d{1,3})\s*-\s*(\d{1,3})", str(item))
        if match:
            first, last = int(match[1]), int(match[2])
        elif type(item) is int:
            first = last = item
        elif isinstance(item, str) and scheme in LABEL_NAMES:
            first = last = _id_of_name(scheme, item, cell.where)
        else:
            raise ValueError(
                f'{cell.where}: {item!r} is no label id; write 7, a range as "0-6", or a list (names are known in '
                f'the columns {", ".join(LABEL_NAMES)}; colours are written "#804080").'
            )
        if not 0 <= first <= last <= 255:
            raise ValueError(f"{cell.where}: {item!r} is outside the label ids 0..255.")
        yield from range(first, last + 1)


def _id_of_name(scheme: str, name: str, where: str) -> int:
    names = LABEL_NAMES[scheme]
    plain = name.lower().replace("_", " ")
    if plain in names:
        return names.index(plain)
    near = difflib.get_close_matches(plain, names, 3, 0.5) or names
    raise ValueError(f"{where}: {scheme} has no label '{name}'; it has {', '.join(near)}.")


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
