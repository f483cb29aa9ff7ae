"""The files of a comparison, and what the terminal shows of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import rich.table
from rich.text import Text

from pixda.comparison.card import card
from pixda.comparison.curve import curve
from pixda.comparison.layout import by_split, folds_note, overviews, shots_text
from pixda.comparison.results import Comparison
from pixda.comparison.summary import failures, progress, summarise
from pixda.comparison.tables import csv, latex, markdown
from pixda.terminal import console
from pixda.writing import whole


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write all there is to say about a comparison, finished or not, and return the files.

    ``table.md``, ``table.tex``, ``table.csv``, ``curve.png``, ``curve.pdf``, ``protocol.md``. Each is replaced at
    once: who reads while a comparison is running sees the old file or the new one, never half of one. The same
    results give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure = curve(comparison)
    # Without its date, or the same results would give another file each time.
    undated = {"CreationDate": None}
    fill: dict[str, Callable[[Path], object]] = {
        "table.md": lambda path: path.write_text(markdown(comparison), encoding="utf-8"),
        "table.tex": lambda path: path.write_text(latex(comparison), encoding="utf-8"),
        "table.csv": lambda path: path.write_text(csv(comparison), encoding="utf-8"),
        "curve.png": partial(figure.savefig, format="png", dpi=200),
        "curve.pdf": partial(figure.savefig, format="pdf", metadata=undated),
        "protocol.md": lambda path: path.write_text(card(comparison), encoding="utf-8"),
    }
    written = []
    for name, into in fill.items():
        with whole(folder / name) as file:
            into(file)
        written.append(folder / name)
    return written


def print_table(comparison: Comparison) -> None:
    """Print the mean over all classes and the one over rare classes, methods by shots; then what failed and why."""
    screen = console()
    for split, groups in by_split(summarise(comparison)).items():
        for overview in overviews(comparison, split, groups):
            table = rich.table.Table(title=Text(split) if split else None)
            for number, head in enumerate(overview.heads):
                right = number >= overview.left
                table.add_column(Text(head), justify="right" if right else "left", no_wrap=right, overflow="fold")
            for row in overview.blocks[0]:
                table.add_row(*(Text(cell.text, style="bold" if cell.best else "") for cell in row))
            screen.print(table)
        if note := folds_note(comparison, split):
            screen.print(note, soft_wrap=True)
    for failure in failures(comparison):
        split = f"{failure.split}, " if failure.split else ""
        seeds = f"seed {', '.join(map(str, failure.seeds))}"
        line = Text("failed: ", style="bold red")
        about = f"{split}{failure.row}, {shots_text(failure.shots)}, {seeds}: {failure.why}"
        screen.print(line + Text(about, style="not bold"), soft_wrap=True)
    screen.print(
        f"Mean ± sample standard deviation over the seeds; (2/3): two of three seeds count. {progress(comparison)}",
        soft_wrap=True,
    )
