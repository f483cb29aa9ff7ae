"""K-fold validation as a table."""

from rich.table import Table

from pixda.metrics import Spread, percent
from pixda.terminal import console
from pixda.training.validation import Validation


def print_validation(validation: Validation, title: str) -> None:
    """Print mean ± standard deviation over the folds, per class and for every protocol."""
    table = Table("IoU, %", "mean ± std", "folds", title=title)
    for name, spread in validation.iou.items():
        table.add_row(name, _cell(spread), str(spread.count))
    table.add_section()
    for protocol, spread in validation.mean.items():
        table.add_row(f"mean of {protocol} classes", _cell(spread), str(spread.count))
    screen = console()
    screen.print(table)
    screen.print(
        "Last weights of each fold, scored on the shots held out of it; the test split was not opened.",
        soft_wrap=True,
    )
    screen.print(
        f"Temperature {validation.temperature:.2f}, fitted on these shots (pixda predict --temperature "
        f"{validation.temperature:.2f}): it takes the expected calibration error on them from "
        f"{percent(validation.ece_before)} % to {percent(validation.ece_after)} %.",
        soft_wrap=True,
    )


def _cell(spread: Spread) -> str:
    return percent(spread.mean) + (f" ± {percent(spread.std)}" if spread.std is not None else "")
