"""The live view of a run on a terminal: a few lines in fixed places."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_REFRESHES = 2  # a second: nobody reads faster
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


def live(console: Console, now: Callable[[], ViewState]) -> Live:
    """A view that draws what ``now`` gives, and leaves the last of it standing when it ends."""
    return Live(console=console, get_renderable=lambda: TerminalView(now()), refresh_per_second=_REFRESHES)


class TerminalView:
    """Draws a ``ViewState`` at the width of the terminal."""

    def __init__(self, standing: ViewState) -> None:
        self._standing = standing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        one = self._standing
        lines: list[RenderableType] = []
        if one.phase:
            lines.append(_bar(f"{one.label} {one.phase}", one.done, one.steps, ""))
            lines += [_line(one.pace), *_losses(one.losses, options.max_width)]
            lines.append(_line(" · ".join(f"{subject} {fact}" for subject, fact in one.facts.items())))
        for what, count in one.counts.items():
            lines.append(_bar(f"{one.label} {what}", count.done, count.total, count.left))
        yield Group(*lines)


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
