"""Single fields of a grid on the command line: ``--experiment.machine.threads 2`` changes that one, and no other."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from jsonargparse import get_loader

from pixda.comparison.grid import Grid, Row, merged
from pixda.errors import UserError

_GROUPS = ("experiment", "recipe", "rows", "splits")
"""What holds further names; jsonargparse knows none of them, and would replace all that is below the first."""

Field = tuple[str, Sequence[str], Any]
"""Name of the group, names below it, value."""


def split_words(words: Sequence[str]) -> tuple[list[str], list[Field]]:
    """The words for the parser, and the fields that the others name.

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
        except Exception as error:  # of whichever YAML library is at work
            raise UserError(f"{option}: the value '{value}' is no YAML.") from error
    return rest, found


def changed(grid: Grid, given: Sequence[Field]) -> Grid:
    """The grid with these fields put in; the last word on a field holds.

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
            row = merged(asdict(grid.rows[label]), value[label])
            grid = replace(grid, rows={**grid.rows, label: Row(**row)})
        else:
            both: Any = {group: merged(getattr(grid, group), value)}
            grid = replace(grid, **both)
    return grid
