"""The dataset doctor's report as tables: the sets, their classes, their label ids, and what was found."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixda.data.check import Report
from pixda.data.classes import IGNORE, UNKNOWN
from pixda.data.dataset import SegmentationDataset
from pixda.data.doctor import Diagnosis
from pixda.terminal import console

_MOST_KINDS = 4
_MOST_CODES = 60


def print_diagnosis(diagnosis: Diagnosis, screen: Console | None = None) -> None:
    """Print everything that was seen; findings come last, errors before warnings."""
    screen = screen or console()
    if diagnosis.sets:
        screen.print(_sets(diagnosis))
        screen.print(_classes({name: one.report for name, one in diagnosis.sets.items()}))
        for name, one in diagnosis.sets.items():
            screen.print(_codes(name, one.dataset, one.report))
    for finding in diagnosis.findings:
        line = Text(f"{finding.level}: ", style="bold red" if finding.level == "error" else "bold yellow")
        screen.print(line + Text(f"{finding.about}: {finding.text}", style="not bold"), soft_wrap=True)
    warnings = len(diagnosis.findings) - diagnosis.errors
    screen.print(f"{counted(diagnosis.errors, 'error')}, {counted(warnings, 'warning')}.")


def counted(number: int, what: str) -> str:
    """A number of things: "1 error", "2 errors"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _sets(diagnosis: Diagnosis) -> Table:
    table = Table("", *diagnosis.sets, title="The sets", show_lines=True)
    both = list(diagnosis.sets.values())

    def row(title: str, cells: Iterable[str]) -> None:
        table.add_row(title, *(Text(cell) for cell in cells))

    row("dataset", (f"{one.dataset.title}, {one.dataset.split}\n{one.dataset.root}" for one in both))
    cities = (len({frame.city for frame in one.dataset.frames}) for one in both)
    row("frames", (f"{one.report.frames} of {count} cities" for one, count in zip(both, cities, strict=True)))
    row("without partner", ("\n".join(map(_short, one.dataset.unpaired)) or "none" for one in both))
    row("images", (_kinds(one.report.images) for one in both))
    row("masks", (_kinds(one.report.masks) for one in both))
    row("ignored", (f"{100 * one.report.ignored_share:.1f} % of the pixels" for one in both))
    row("unknown labels", (f"{one.report.unknown} pixels" if one.report.unknown else "none" for one in both))
    row("classes", (f"{len(one.report.names) - len(one.report.absent)} of {len(one.report.names)}" for one in both))
    return table


def _short(sentence: str) -> str:
    """ "…: 3 of 20 images have no mask, first …" -> "3 of 20 images have no mask"."""
    return sentence.split(": ", 1)[1].split(", first")[0]


def _kinds(kinds: Mapping[str, int]) -> str:
    lines = [f"{count} x {kind}" for kind, count in list(kinds.items())[:_MOST_KINDS]]
    return "\n".join([*lines, *([f"and {len(kinds) - _MOST_KINDS} more kinds"] if len(kinds) > _MOST_KINDS else [])])


def _classes(reports: Mapping[str, Report]) -> Table:
    """Share of each class in all labelled pixels of each set; a dash where there is none."""
    table = Table("class", title="Share of the labelled pixels, %")
    for name in reports:
        table.add_column(name, justify="right")
    for index, name in enumerate(next(iter(reports.values())).names):
        cells = []
        for report in reports.values():
            share = 100 * report.pixels[index] / max(sum(report.pixels), 1)
            cells.append("–" if report.pixels[index] == 0 else f"{share:.2f}" if share >= 0.01 else "< 0.01")
        table.add_row(Text(name), *cells)
    return table


def _codes(name: str, dataset: SegmentationDataset, report: Report) -> Table:
    """Every label id or colour that was seen, and what it means; those never seen are in the last line."""
    table = Table("label", "means", "pixels", "%", title=f"Labels in {name}: scheme {dataset.scheme}")
    labels = dataset.labels
    meaning = dict(zip(map(labels.shown, labels.codes.tolist()), labels.classes_of(labels.codes).tolist(), strict=True))
    words = {IGNORE: "(ignored)", UNKNOWN: "UNKNOWN", **dict(enumerate(report.names))}
    everything = max(sum(report.pixels) + report.ignored + report.unknown, 1)
    seen = {code: pixels for code, pixels in report.codes.items() if pixels}
    for code, pixels in list(seen.items())[:_MOST_CODES]:
        table.add_row(code, Text(words[meaning.get(code, UNKNOWN)]), str(pixels), f"{100 * pixels / everything:.2f}")
    if len(seen) > _MOST_CODES:
        table.add_row("...", f"{len(seen) - _MOST_CODES} more", "", "")
    never = [code for code, pixels in report.codes.items() if not pixels]
    table.caption = f"never seen: {', '.join(never)}" if never else "all were seen"
    return table
