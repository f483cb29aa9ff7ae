"""The live view of a run on a terminal: a few lines in fixed places."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_VALUE = 8  # characters of a number


@dataclass(frozen=True)
class Count:
    """Something that is being counted: images scored, frames predicted."""

    done: int
    total: int
    left: str


@dataclass(frozen=True)
class ViewState:
    """Everything the view shows at one moment; immutable, because drawing happens in another thread."""

    label: str
    phase: str = ""
    """Name of the phase, and which of how many; empty where nothing is trained."""
    done: int = 0
    steps: int = 0
    pace: str = ""
    """Epoch, steps a second, time left."""
    losses: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known, by its subject: images kept, mIoU, memory."""
    counts: Mapping[str, Count] = field(default_factory=dict)


def view(shown: ViewState, width: int) -> Group:
    """The lines of a ``ViewState``, for a terminal of this width."""
    lines: list[RenderableType] = []
    if shown.phase:
        lines.append(_bar(f"{shown.label} {shown.phase}", shown.done, shown.steps, ""))
        lines += [_line(shown.pace), *_losses(shown.losses, width)]
        lines.append(_line(" · ".join(f"{subject} {fact}" for subject, fact in shown.facts.items())))
    for what, count in shown.counts.items():
        lines.append(_bar(f"{shown.label} {what}", count.done, count.total, count.left))
    return Group(*lines)


def _bar(title: str, done: int, total: int, news: str) -> Table:
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_column(ratio=1, min_width=10)
    row.add_column(no_wrap=True)
    numbers = f"{done:{len(str(total))}}/{total}"
    if total:
        numbers += f" {100 * done // total:3d} %"
    row.add_row(Text(title, "bold"), ProgressBar(total, done), " · ".join(filter(None, [numbers, news])))
    return row


def _line(text: str) -> Text:
    """One line, whatever its length: a view that wrapped would jump."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _losses(losses: Mapping[str, float], width: int) -> list[Text]:
    """As many beside one another as fit, each number in a place of its own."""
    if not losses:
        return []
    longest = max(len(name) for name in losses)
    columns = max((width + 2) // (longest + _VALUE + 3), 1)
    cells = [f"{name:{longest}} {value:<{_VALUE}.3g}" for name, value in losses.items()]
    return [_line("  ".join(cells[first : first + columns])) for first in range(0, len(cells), columns)]
