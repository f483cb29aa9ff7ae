"""The tables of a comparison: Markdown to read, LaTeX to publish, CSV to calculate with; and its files together."""

import csv as csv_files
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import rich.table
from rich.text import Text

from pixda.comparison.card import card
from pixda.comparison.curve import curve
from pixda.comparison.layout import NOTE, Table, by_class, folds_note, overviews, rare_note, shots_text
from pixda.comparison.markup import latex_row, latex_text, markdown_table, markdown_text, text_table
from pixda.comparison.results import Comparison, by_split, failures, progress, rare_classes, rare_mean
from pixda.terminal import console
from pixda.writing import atomic_write

_LEAST_WIDTH = 24
"""Letters of a method's name that a narrow terminal or a pipe shows on one line."""


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
        with atomic_write(folder / name) as file:
            into(file)
        written.append(folder / name)
    return written


def markdown(comparison: Comparison) -> str:
    """For each split an overview and every class, then what failed and why; readable at any time of a comparison."""
    splits = by_split(comparison)
    parts = [f"# {markdown_text(comparison.title)}", f"{markdown_text(NOTE)} {progress(comparison)}"]
    for split, groups in splits.items():
        parts += [_heading("Overview", split), markdown_text(folds_note(comparison, split))]
        parts += map(_markdown_table, overviews(comparison, split, groups))
    for split, groups in splits.items():
        parts.append(_heading("By class", split))
        if note := rare_note(comparison, split):
            parts.append(f"{markdown_text(note)} They are marked \\*; the column *mIoU rare* is their mean.")
        parts.append(_markdown_table(by_class(comparison, split, groups)))
    if failed := failures(comparison):
        rows = [(f.split, f.row, str(f.shots), ", ".join(map(str, f.seeds)), f.why) for f in failed]
        parts += ["## Failed", text_table(["split", "method", "shots", "seeds", "why"], rows)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _heading(title: str, split: str) -> str:
    return f"## {title}: {markdown_text(split)}" if split else f"## {title}"


def _markdown_table(table: Table) -> str:
    rows = [
        [f"**{markdown_text(cell.text)}**" if cell.best else markdown_text(cell.text) for cell in row]
        for block in table.blocks
        for row in block
    ]
    return markdown_table([markdown_text(head) for head in table.heads], rows, table.left)


def latex(comparison: Comparison) -> str:
    r"""A ``table*`` for each split in the paper's form; the document needs ``\usepackage{booktabs,graphicx}``.

    The means have their standard deviation; that of the classes, for which no page is wide enough, is in the others.
    """
    tables = []
    for split, groups in by_split(comparison).items():
        title = f"{comparison.title}: {split}" if split else comparison.title
        notes = [f"{title}.", NOTE, folds_note(comparison, split), rare_note(comparison, split), progress(comparison)]
        tables.append(_latex_table(by_class(comparison, split, groups, class_deviations=False), notes))
    return "% \\usepackage{booktabs,graphicx}\n" + "\n".join(tables)


def _latex_table(table: Table, notes: list[str]) -> str:
    numbers = slice(table.left, -1)
    heads = [latex_text(head) for head in table.heads]
    heads[numbers] = [rf"\rotatebox{{90}}{{{head}}}" for head in heads[numbers]]
    rows = [
        [
            latex_row(rf"\textbf{{{latex_text(cell.text)}}}" if cell.best else latex_text(cell.text) for cell in row)
            for row in block
        ]
        for block in table.blocks
    ]
    return "\n".join(
        [
            r"\begin{table*}",
            rf"\caption{{{' '.join(latex_text(note) for note in notes if note)}}}",
            r"\centering",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{'l' * table.left}{'r' * len(heads[numbers])}l}}",
            r"\toprule",
            latex_row(heads),
            r"\midrule",
            "\n\\midrule\n".join("\n".join(block) for block in rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def csv(comparison: Comparison) -> str:
    """A line for each number of each run, unrounded, 0..1; one line for a run without scores.

    Columns: split, method, shots, seed, frames (labelled target frames), folds (K, where the numbers are means over
    folds of the shots; empty with a test set), measure ("class", "mean", "rare mean" or "pixel accuracy"), name (of the
    class or the protocol), rare ("yes" for a rare class), value, and note, which says why there is no value. A split
    without rare classes has no "rare mean".
    """
    text = io.StringIO()
    table = csv_files.writer(text, lineterminator="\n")
    runs = ["split", "method", "shots", "seed", "frames", "folds"]
    table.writerow([*runs, "measure", "name", "rare", "value", "note"])
    for result in comparison.results:
        cell, scores, frames = result.cell, result.scores, "" if result.frames is None else result.frames
        run = [cell.split, cell.row, cell.shots, cell.seed, frames, comparison.folds.get(cell.split, "")]
        if scores is None:
            why = "not run" if result.failure is None else f"failed: {result.failure}"
            table.writerow([*run, "", "", "", "", why])
            continue
        rare = rare_classes(comparison.shares.get(cell.split, {}))
        lines: list[tuple[str, str, str, float | None]] = [
            *(("class", name, "yes" if name in rare else "no", scores.iou[name]) for name in comparison.classes.names),
            *(("mean", protocol, "", scores.mean[protocol]) for protocol in comparison.classes.protocols),
            *([("rare mean", "", "", rare_mean(scores, rare))] if rare else []),
            ("pixel accuracy", "", "", scores.pixel_accuracy),
        ]
        for *what, value in lines:
            table.writerow([*run, *what, *(("", "no ground truth") if value is None else (repr(value), ""))])
    return text.getvalue()


def print_table(comparison: Comparison) -> None:
    """Print the mean over all classes and the one over rare classes, methods by shots; then what failed and why."""
    screen = console()
    for split, groups in by_split(comparison).items():
        for overview in overviews(comparison, split, groups):
            table = rich.table.Table(title=Text(split) if split else None)
            for number, head in enumerate(overview.heads):
                if number < overview.left:
                    table.add_column(Text(head), overflow="fold", min_width=_LEAST_WIDTH)
                else:
                    table.add_column(Text(head.replace(" (", "\n(")), justify="right", no_wrap=True)
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
