"""Makes a class set from the labels of an export, with a column for the masks that an import writes."""

import colorsys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pixda.data.class_file import IGNORE, MOST_CLASSES
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.writing import atomic_write

COLUMN = "imported"
"""Label scheme of the written masks: class indices, and 255 where there is no label."""

_NO_CLASS = ("__ignore__", "_background_", "ignore", "unlabeled", "unlabelled", "void")


def classes_from(labels: Mapping[str, tuple[int, int, int] | None], name: str) -> ClassSet:
    """A class for every label, in their order, in the tool's colour or else in a colour made here.

    Raises UserError if there are no labels, or more than a mask can hold.
    """
    first: dict[str, str] = {}  # "Traffic Light" and "traffic_light" are one class
    for label in labels:
        if _plain(label) not in map(_plain, _NO_CLASS):
            first.setdefault(_plain(label), label)
    names = list(first.values())
    if not 1 <= len(names) <= MOST_CLASSES:
        raise UserError(f"The export has {len(names)} labels for areas; 1 to {MOST_CLASSES} can be classes.")
    colours = [labels[label] or _colour(index) for index, label in enumerate(names)]
    everything = {str(len(names)): tuple(range(len(names)))}
    return ClassSet(name, tuple(names), tuple(colours), everything, {})


def index_of(labels: Mapping[str, Any], classes: ClassSet) -> dict[str, int]:
    """Label -> class index, or 255 for labels that mean "ignore"; labels without a class are left out.

    Upper and lower case are the same, and so are spaces, hyphens and underscores.
    """
    known = {_plain(name): index for index, name in enumerate(classes.names)}
    known |= {_plain(name): IGNORE for name in _NO_CLASS if _plain(name) not in known}
    return {label: known[_plain(label)] for label in labels if _plain(label) in known}


def write_classes(path: Path, classes: ClassSet) -> None:
    """Write a class set to YAML, with the column "imported" beside the columns that it has."""
    columns = {scheme: classes.labels(scheme) for scheme in classes.schemes if scheme != COLUMN}

    def shown(scheme: str, index: int) -> Any:
        labels = columns[scheme]
        codes = [int(code) for code in labels.codes[labels.classes_of(labels.codes) == index]]
        values = [f"#{code:06x}" if labels.coloured else code for code in codes]
        return values[0] if len(values) == 1 else values

    rows: dict[str, dict[str, Any]] = {}
    for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        others = {scheme: shown(scheme, index) for scheme in columns}
        rows[name] = {"colour": list(colour), **{key: value for key, value in others.items() if value != []}}
        rows[name][COLUMN] = index
    ignored = {scheme: shown(scheme, IGNORE) for scheme in columns}
    content: dict[str, Any] = {"name": classes.name, "classes": rows}
    content["ignore"] = {key: value for key, value in ignored.items() if value != []} | {COLUMN: IGNORE}
    protocols = {
        key: [classes.names[index] for index in members]
        for key, members in classes.protocols.items()
        if len(members) < len(classes.names)
    }
    if protocols:
        content["protocols"] = protocols
    with atomic_write(path) as file:
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=1000, allow_unicode=True)
        file.write_text(text, encoding="utf-8")


def _plain(label: str) -> str:
    return label.lower().replace("_", " ").replace("-", " ").strip()


def _colour(index: int) -> tuple[int, int, int]:
    """A colour for the class of this index; classes next to each other get very different hues."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618 % 1, 0.75, 0.9 - 0.3 * (index % 2))
    return round(255 * red), round(255 * green), round(255 * blue)
