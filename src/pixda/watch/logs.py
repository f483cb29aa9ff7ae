"""The logs of a run: losses and selections as CSV files, and the same to the loggers."""

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from pixda.metrics import Scores
from pixda.selection import Selected
from pixda.watch.loggers import Logger, open_loggers
from pixda.writing import atomic_write


class Logs:
    """Losses of every phase in ``<folder>/<phase>.csv``, selections and pictures; each also goes once to the loggers.

    The CSV files say how far a run had come before it was stopped: steps that it makes again from its checkpoint are
    the same to the last bit, and no logger is told of them twice. A logger that fails is left, and the run goes on.

    Args:
        folder: made if it is not there.
        loggers: their names; see ``open_loggers``.
        title: what the run is called there.
        config: what the run was asked for.
        say: shows the user a line.
        resume: the run goes on; otherwise what an earlier beginning left here goes away.

    Raises:
        UserError: a logger cannot begin.
    """

    def __init__(
        self,
        folder: Path,
        loggers: Sequence[str],
        title: str,
        config: dict[str, Any],
        say: Callable[[str], None],
        resume: bool,
    ) -> None:
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._say = say
        self._known: dict[str, int] = {}  # phase -> the last step that was told before the run was stopped
        self._loggers = open_loggers(loggers, folder, title, config)
        for name, logger in self._loggers.items():
            if name != "tensorboard":  # always in the same place
                say(f"{name}: {logger.place}")

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._tell(lambda logger: logger.close(finished=kind is None))

    def rewind(self, phase: str, step: int) -> None:
        """Remove rows after ``step``: a run resumed from there writes them again."""
        path = self._folder / f"{phase}.csv"
        if not path.exists():
            return
        with path.open(newline="") as file:
            lines = [line for line in file if line.endswith("\n")]  # a full disk may have cut the last one
        if not lines:
            path.unlink()
            return
        steps = [int(line.split(",", 1)[0]) for line in lines[1:]]
        self._known[phase] = max(steps, default=0)
        kept = [line for line, of in zip(lines[1:], steps, strict=True) if of <= step]
        with atomic_write(path) as file:
            file.write_text("".join([lines[0], *kept]), newline="")

    def losses(self, phase: str, epoch: int, step: int, total: int, values: Mapping[str, float]) -> None:
        """One row: the mean of each loss since the row before. ``total``: steps of the whole run so far."""
        self._append(phase, {"step": step, "epoch": epoch} | {k: f"{v:.6g}" for k, v in values.items()})
        if step > self._known.get(phase, 0):
            named = {f"{phase}/{name}": value for name, value in values.items()}
            self._tell(lambda logger: logger.metrics(named, step, total))

    def selection(self, result: Selected, total: int) -> None:
        """``selection_<epoch>[_<source>].csv``: every scored image, its score, the rule, and whether it was kept."""
        kept = set(result.kept)
        ((rule, value),) = asdict(result.rule).items()
        source = "" if result.source is None else f"_{result.source}"
        path = self._folder / f"selection_{result.epoch}{source}.csv"
        known = path.exists()
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "score", rule, "kept"])
            writer.writerows((n, f"{s:.6g}", value, int(n in kept)) for n, s in result.scores.items())
        if not known:
            named = {f"selection{source}/kept": len(kept), f"selection{source}/{rule}": value}
            self._tell(lambda logger: logger.metrics(named, result.epoch, total))

    def scores(self, scores: Scores, total: int) -> None:
        """Log the test scores in percent: the mean of every protocol, and the IoU of every class present."""
        named = {f"scores/mean of {name}": value for name, value in scores.mean.items()}
        named |= {f"scores/{name}": value for name, value in scores.iou.items()}
        percent = {name: 100 * value for name, value in named.items() if value is not None}
        self._tell(lambda logger: logger.metrics(percent, total, total))

    def picture(self, phase: str, name: str, picture: Image.Image, step: int, total: int) -> None:
        """A picture of a step, for the loggers."""
        if step > self._known.get(phase, 0):
            self._tell(lambda logger: logger.picture(f"{phase}/{name}", picture, step, total))

    def _tell(self, what: Callable[[Logger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                what(logger)
            except Exception as error:  # an unreachable server must not end a run of days
                del self._loggers[name]
                self._say(f"{name} fails and is told nothing more ({' '.join(str(error).split())[:300]})")

    def _append(self, phase: str, row: Mapping[str, object]) -> None:
        path = self._folder / f"{phase}.csv"
        new = not path.exists()
        columns = list(row)
        if not new:  # the columns of the first row: later rows may lack the losses of a dropped source
            with path.open(newline="") as file:
                columns = next(csv.reader(file))
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
