"""The tables of a comparison: as Markdown to read, as LaTeX to publish, as CSV to calculate with."""

import csv as csv_files
import io

from pixda.comparison.layout import NOTE, Table, by_class, by_split, folds_note, overviews, rare_note
from pixda.comparison.markup import latex_row, latex_text, markdown_table, markdown_text
from pixda.comparison.results import Comparison
from pixda.comparison.summary import failures, progress, rare_classes, rare_mean, summarise


def markdown(comparison: Comparison) -> str:
    """For each split an overview and every class, then what failed and why; readable at any time of a comparison."""
    splits = by_split(summarise(comparison))
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
        heads = ["split", "method", "shots", "seeds", "why"]
        parts += ["## Failed", markdown_table(heads, ([markdown_text(cell) for cell in row] for row in rows), 5)]
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
    for split, groups in by_split(summarise(comparison)).items():
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
