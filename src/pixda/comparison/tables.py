"""The tables of a comparison: as Markdown to read, as LaTeX to publish, as CSV to calculate with."""

import csv as csv_files
import io
from collections.abc import Iterable, Sequence

from pixda.comparison.layout import (
    Column,
    best,
    by_row,
    by_shots,
    by_split,
    class_columns,
    mean_columns,
    number,
    overview_cell,
    overview_columns,
    rare_note,
    shots_label,
)
from pixda.comparison.markup import latex_row, latex_text, markdown_table, markdown_text
from pixda.comparison.rare import rare_classes
from pixda.comparison.results import Comparison
from pixda.comparison.summary import Group, failures, progress, rare_mean, summarise

NOTE = (
    "IoU in %, mean ± sample standard deviation over the seeds. Bold: the highest mean of a column among methods with "
    "the same shots and scores from every seed; differences within the standard deviations mean nothing."
)
"""How to read the tables."""


def markdown(comparison: Comparison) -> str:
    """For each split an overview and every class, then what failed and why; readable at any time of a comparison."""
    splits = by_split(summarise(comparison))
    parts = [f"# {markdown_text(comparison.title)}", f"{NOTE} {progress(comparison)}"]
    for split, groups in splits.items():
        parts += [_heading("Overview", split), _overview(comparison, split, groups)]
    for split, groups in splits.items():
        parts.append(_heading("By class", split))
        if note := rare_note(comparison, split):
            parts.append(f"{markdown_text(note)} They are marked \\*; the column *mIoU rare* is their mean.")
        parts.append(_by_class(comparison, split, groups))
    if failed := failures(comparison):
        rows = [(f.split, f.row, str(f.shots), ", ".join(map(str, f.seeds)), f.why) for f in failed]
        heads = ["split", "method", "shots", "seeds", "why"]
        parts += ["## Failed", markdown_table(heads, ([markdown_text(cell) for cell in row] for row in rows), 5)]
    return "\n\n".join(parts) + "\n"


def latex(comparison: Comparison) -> str:
    r"""A ``table*`` for each split in the paper's form; the document needs ``\usepackage{booktabs,graphicx}``.

    The means have their standard deviation; that of the classes, for which no page is wide enough, is in the others.
    """
    tables = [_latex_table(comparison, split, groups) for split, groups in by_split(summarise(comparison)).items()]
    return "% \\usepackage{booktabs,graphicx}\n" + "\n".join(tables)


def csv(comparison: Comparison) -> str:
    """A line for each number of each run, unrounded, 0..1; one line for a run without scores.

    Columns: split, method, shots, seed, frames (labelled target frames), measure ("class", "mean", "rare mean" or
    "pixel accuracy"), name (of the class or the protocol), rare ("yes" for a rare class), value, and note, which says
    why there is no value. A split without rare classes has no "rare mean".
    """
    text = io.StringIO()
    table = csv_files.writer(text, lineterminator="\n")
    table.writerow(["split", "method", "shots", "seed", "frames", "measure", "name", "rare", "value", "note"])
    for result in comparison.results:
        cell, scores = result.cell, result.scores
        run = [cell.split, cell.row, cell.shots, cell.seed, "" if result.frames is None else result.frames]
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


def _heading(title: str, split: str) -> str:
    return f"## {title}: {markdown_text(split)}" if split else f"## {title}"


def _overview(comparison: Comparison, split: str, groups: Sequence[Group]) -> str:
    """Methods in rows; a mean for every number of shots, then the next mean."""
    rows = by_row(groups)
    heads, columns = ["method"], [[markdown_text(row) for row in rows]]
    for column in overview_columns(comparison, split):
        for shots, block in by_shots(groups).items():
            wins = dict(zip((group.row for group in block), best(block, column), strict=True))
            cells = {row: overview_cell(column, of_shots.get(shots)) for row, of_shots in rows.items()}
            heads.append(f"{column.head}, {shots_label(block)}")
            columns.append([f"**{text}**" if wins.get(row) else text for row, text in cells.items()])
    heads.append("runs")
    columns.append([_runs(of_shots.values()) for of_shots in rows.values()])
    return markdown_table(heads, zip(*columns, strict=True), 1)


def _runs(groups: Iterable[Group]) -> str:
    """How many runs a row rests on, and how many it should."""
    counts = [(group.scored, len(group.results)) for group in groups]
    scored, planned = (sum(column) for column in zip(*counts, strict=True))
    return f"{planned}" if scored == planned else f"{scored} of {planned}"


def _by_class(comparison: Comparison, split: str, groups: Sequence[Group]) -> str:
    """The paper's form: methods in rows, a block of rows for each number of shots, a column for each class."""
    columns = [*class_columns(comparison, split), *mean_columns(comparison, split)]
    heads = ["shots", "method", *(markdown_text(column.head) + "\\*" * column.is_rare for column in columns), "seeds"]
    rows = []
    for block in by_shots(groups).values():
        wins = [best(block, column) for column in columns]
        for place, group in enumerate(block):
            texts = [_text(column, group, "±") for column in columns]
            cells = [f"**{text}**" if win[place] else text for text, win in zip(texts, wins, strict=True)]
            rows.append([shots_label(block) if place == 0 else "", markdown_text(group.row), *cells, group.state])
    return markdown_table(heads, rows, 2)


def _text(column: Column, group: Group, plus_minus: str) -> str:
    """A number in a table that has a column for the seeds; empty without scores."""
    return number(column.of(group), group.scored, plus_minus) if group.scored else ""


def _latex_table(comparison: Comparison, split: str, groups: Sequence[Group]) -> str:
    columns = [*class_columns(comparison, split), *mean_columns(comparison, split)]
    heads = [
        "shots",
        "method",
        *(rf"\rotatebox{{90}}{{{latex_text(column.head)}{'$^*$' * column.is_rare}}}" for column in columns),
        "seeds",
    ]
    blocks = []
    for block in by_shots(groups).values():
        wins = [best(block, column) for column in columns]
        lines = []
        for place, group in enumerate(block):
            cells = [_latex_cell(column, group, win[place]) for column, win in zip(columns, wins, strict=True)]
            shots = latex_text(shots_label(block)) if place == 0 else ""
            lines.append(latex_row([shots, latex_text(group.row), *cells, group.state]))
        blocks.append("\n".join(lines))
    title = f"{comparison.title}: {split}" if split else comparison.title
    notes = [f"{title}.", NOTE, rare_note(comparison, split), progress(comparison)]
    return "\n".join(
        [
            r"\begin{table*}",
            rf"\caption{{{' '.join(latex_text(note) for note in notes if note)}}}",
            r"\centering",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{ll{'r' * len(columns)}l}}",
            r"\toprule",
            latex_row(heads),
            r"\midrule",
            "\n\\midrule\n".join(blocks),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def _latex_cell(column: Column, group: Group, bold: bool) -> str:
    text = latex_text(_text(column, group, "" if column.kind == "class" else " ± "))
    return rf"\textbf{{{text}}}" if bold else text
