"""What ``pixda compare`` reads beside the grid: the machines, and single fields of the grid. No torch here: --help."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jsonargparse import get_loader

from pixda.comparison.grid import Grid, Row, merged
from pixda.errors import UserError

_GROUPS = ("experiment", "recipe", "rows", "splits")
"""Mappings in a grid; jsonargparse does not know their keys, and would replace all that is below the first."""

Field = tuple[str, Sequence[str], Any]
"""Name of the group, names below it, value."""


@dataclass(frozen=True)
class Resources:
    """The machines, and what each cell is given of them.

    Raises:
        UserError: a number out of range.
    """

    at_once: int | None = None
    """Cells that run at a time; by default one a GPU, or one a processor (at most 8), or as many as a cluster holds."""
    cpus: int | None = None
    """Processors of a cell; by default an equal share of this machine's, or one of a cluster's."""
    gpus: float | None = None
    """GPUs of a cell: 0.5 for two cells on each, 0 for none; by default 1, if there is any."""
    ray: str | None = None
    """A Ray cluster to run the cells on: auto (the one that this machine belongs to), or HOST:PORT of its head."""

    def __post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise UserError(
                f"--at_once is the number of cells that run at the same time, 1 or more, not {self.at_once}."
            )
        if self.cpus is not None and self.cpus < 1:
            raise UserError(f"--cpus is the number of processors of a cell, 1 or more, not {self.cpus}.")
        if self.gpus is not None and (self.gpus < 0 or (self.gpus > 1 and self.gpus % 1)):
            raise UserError(f"--gpus is a whole number of GPUs of a cell, or a fraction of one, not {self.gpus:g}.")


def split_words(words: Sequence[str]) -> tuple[list[str], list[Field]]:
    """The words for the parser, and the single fields: ``--experiment.machine.threads 2`` changes that one only.

    Raises:
        UserError: a field without a value, or with one that cannot be read.
    """
    rest: list[str] = []
    found: list[Field] = []
    left = iter(words)
    for word in left:
        option, equals, text = word.partition("=")
        group, *names = option.removeprefix("--").split(".")
        if not option.startswith("--") or group not in _GROUPS or not names:
            rest.append(word)
            continue
        value = text if equals else next(left, None)
        if value is None or "" in names:
            raise UserError(f"{option} needs a value, as in --experiment.machine.threads 2.")
        try:
            found.append((group, names, get_loader("yaml")(value)))
        except Exception as error:  # jsonargparse uses whichever YAML library is installed
            raise UserError(f"{option}: the value '{value}' is no YAML.") from error
    return rest, found


def changed(grid: Grid, given: Sequence[Field]) -> Grid:
    """The grid with these fields set; of a field given twice, the last value counts.

    Raises:
        UserError: a row that the grid does not have, or a field that rows do not have.
    """
    for group, names, value in given:
        for name in reversed(names):
            value = {name: value}
        if group == "rows":
            label = names[0]
            if label not in grid.rows:
                raise UserError(f"The grid has no row '{label}'; its rows are {', '.join(grid.rows)}.")
            if not names[1:] or names[1] not in Row.__dataclass_fields__:
                raise UserError(f"Of row '{label}' one of {', '.join(Row.__dataclass_fields__)} can be set.")
            value = {label: Row(**merged(asdict(grid.rows[label]), value[label]))}
        both: Any = {group: merged(getattr(grid, group), value)}
        grid = replace(grid, **both)
    return grid
