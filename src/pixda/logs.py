"""The files a run writes as it goes: losses as CSV and for TensorBoard, and the outcome of each selection."""

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from pixda.selection import Selected


class Logs:
    """Losses of every phase, in ``<folder>/<phase>.csv`` and as TensorBoard scalars.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._board = TensorBoardLogger(folder, name="tensorboard", version="")

    def rewind(self, phase: str, step: int) -> None:
        """Forget rows beyond ``step``: a run that goes on from there writes them again."""
        path = self._path(phase)
        if not path.exists():
            return
        with path.open(newline="") as file:
            lines = [line for line in file if line.endswith("\n")]  # a full disk may have cut the last one
        if not lines:
            path.unlink()
            return
        kept = [row for row in lines[1:] if int(row.split(",", 1)[0]) <= step]
        temporary = path.with_suffix(".tmp")
        temporary.write_text("".join([lines[0], *kept]), newline="")
        temporary.replace(path)  # at once: killed here, the log is the old one or the new one

    def losses(self, phase: str, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """One row: the mean of each loss since the row before."""
        self._append(phase, {"step": step, "epoch": epoch} | {k: f"{v:.6g}" for k, v in values.items()})
        self._board.log_metrics({f"{phase}/{name}": value for name, value in values.items()}, step)

    def selection(self, result: Selected) -> None:
        """``selection_<epoch>[_<source>].csv``: every image judged, its score, the rule, and whether it stays."""
        kept = set(result.kept)
        ((rule, value),) = asdict(result.rule).items()
        source = "" if result.source is None else f"_{result.source}"
        path = self._folder / f"selection_{result.epoch}{source}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "score", rule, "kept"])
            writer.writerows((n, f"{s:.6g}", value, int(n in kept)) for n, s in result.scores.items())
        self._board.log_metrics(
            {f"selection{source}/kept": len(kept), f"selection{source}/{rule}": value}, result.epoch
        )

    def close(self) -> None:
        """Write out what is still in memory."""
        self._board.finalize("success")

    def _path(self, phase: str) -> Path:
        return self._folder / f"{phase}.csv"

    def _append(self, phase: str, row: Mapping[str, object]) -> None:
        path = self._path(phase)
        new = not path.exists()
        columns = list(row)
        if not new:  # those of the first row: a later one lacks the losses of a source that has dropped out
            with path.open(newline="") as file:
                columns = next(csv.reader(file))
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
