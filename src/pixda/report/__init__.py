"""What a user reads after a run: tables and pictures."""

from collections.abc import Mapping

from rich.table import Table

from pixda.metrics import Scores, percent
from pixda.terminal import console


def print_scores(runs: Mapping[str, Scores]) -> None:
    """Print IoU per class and the means of every protocol, a column for each run."""
    table = Table("IoU, %", *runs)
    scores = list(runs.values())
    for name in scores[0].iou:
        table.add_row(name, *(percent(one.iou[name]) for one in scores))
    table.add_section()
    for protocol in scores[0].mean:
        table.add_row(f"mean of {protocol} classes", *(percent(one.mean[protocol]) for one in scores))
    table.add_row("pixel accuracy", *(percent(one.pixel_accuracy) for one in scores))
    if any(one.calibration for one in scores):
        errors = [one.calibration.ece if one.calibration else None for one in scores]
        table.add_row("calibration error (ECE)", *map(percent, errors))
    console().print(table)
