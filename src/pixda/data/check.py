"""The dataset check: decode every frame once, before any training, and say all that is wrong."""

import hashlib
import json
import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rich.progress import track

from pixda.data.classes import IGNORE, UNKNOWN
from pixda.data.dataset import Frame, SegmentationDataset
from pixda.errors import UserError

_CACHE_FORM = 1  # raise it when the report's fields or the checks change
_NAMED_FILES = 3


@dataclass(frozen=True)
class Report:
    """What a check found. Counts are of pixels as stored, of all masks that could be read."""

    frames: int
    names: tuple[str, ...]
    """Class names in index order."""
    pixels: tuple[int, ...]
    """Pixels of every class, in index order."""
    ignored: int
    """Pixels of known ids that are no class."""
    unknown: int
    """Pixels of ids that are not in the class set."""
    problems: tuple[str, ...]
    """One sentence for each broken frame, in the order of frames, then for each unknown id."""

    @property
    def ignored_share(self) -> float:
        """Part of all mask pixels that is ignored, 0..1; 0 where there are no masks."""
        return self.ignored / max(sum(self.pixels) + self.ignored + self.unknown, 1)

    @property
    def absent(self) -> list[str]:
        """Names of the classes without a single pixel."""
        return [name for name, count in zip(self.names, self.pixels, strict=True) if count == 0]

    def raise_if_bad(self) -> None:
        """Raise UserError with the first problem in full and the number of further ones."""
        if self.problems:
            rest = len(self.problems) - 1
            raise UserError(self.problems[0] + (f" ({rest} more like this were found.)" if rest else ""))


class _Look(NamedTuple):
    """One frame: the problem it has, or the pixel count of every raw id (256,); neither without a mask."""

    frame: Frame
    problem: str | None
    counts: np.ndarray | None


def check(
    dataset: SegmentationDataset,
    cache: Path | None = None,
    progress: bool = True,
    threads: int | None = None,
) -> Report:
    """Decode every pair as stored, compare sizes, and count the pixels of every label id.

    With `cache`, a folder, a report without problems is kept there and returned at once as long as no file
    (name, size, time of change) and no label id has changed. `threads`: by default one for each processor.
    """
    kept = cache / f"check-{_key(dataset)}.json" if cache is not None else None
    report = _read(kept) if kept is not None else None
    if report is None:
        report = _checked(dataset, progress, threads or os.cpu_count() or 1)
        # Bad news is not kept: its cause may go (a right to read, a full disk) without a file being changed.
        if kept is not None and not report.problems:
            _write(kept, report)
    return report


def _checked(dataset: SegmentationDataset, progress: bool, threads: int) -> Report:
    table = dataset.classes.lookup(dataset.scheme)
    total = np.zeros(256, np.int64)
    problems: list[str] = []
    holders: dict[int, list[str]] = {}
    title = f"Checking {dataset.title} {dataset.split}"
    with closing(_looks(dataset, threads)) as looks:
        for look in track(looks, title, len(dataset), transient=True, disable=not progress):
            if look.problem is not None:
                problems.append(look.problem)
            if look.counts is not None:
                total += look.counts
                for raw in np.flatnonzero((look.counts > 0) & (table == UNKNOWN)).tolist():
                    holders.setdefault(raw, []).append(str(look.frame.mask))
    for raw in sorted(holders):
        files = holders[raw]
        named = ", ".join(files[:_NAMED_FILES]) + (", ..." if len(files) > _NAMED_FILES else "")
        masks = f"{len(files)} masks hold" if len(files) > 1 else "One mask holds"
        problems.append(f"{masks} {dataset.unknown_ids([raw])} ({total[raw]} pixels, in {named})")
    return Report(
        frames=len(dataset),
        names=dataset.classes.names,
        pixels=tuple(int(total[table == index].sum()) for index in range(len(dataset.classes.names))),
        ignored=int(total[table == IGNORE].sum()),
        unknown=int(total[table == UNKNOWN].sum()),
        problems=tuple(problems),
    )


def _looks(dataset: SegmentationDataset, threads: int) -> Generator[_Look, None, None]:
    """Yield what is found in every frame, in order. Decoders let other threads run, so threads are enough."""

    def look(frame: Frame) -> _Look:
        try:
            _, ids = dataset.decode(frame)
        except UserError as error:
            return _Look(frame, str(error), None)
        # Pillow's histogram is exact and many times as fast as numpy's count.
        return _Look(frame, None, None if ids is None else np.array(Image.fromarray(ids).histogram()))

    # Closing the map, as an interrupt does, drops the frames that wait: leaving is quick.
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(look, dataset.frames)


def _key(dataset: SegmentationDataset) -> str:
    digest = hashlib.sha256(f"{_CACHE_FORM}\n{dataset.title}\n{dataset.classes.names}\n".encode())
    digest.update(dataset.classes.lookup(dataset.scheme).tobytes())
    for frame in dataset.frames:
        digest.update(os.fsencode(f"{frame.name}\n{_state(frame.image)}\n{_state(frame.mask)}\n"))
    return digest.hexdigest()[:32]


def _state(path: Path | None) -> str:
    """Return what changes when a file does; decoding, not this, complains about a file that is gone."""
    if path is None or not path.exists():
        return ""
    state = path.stat()
    return f"{path}\n{state.st_size}\n{state.st_mtime_ns}"


def _read(path: Path) -> Report | None:
    """Return the kept report, or None where there is none that can be read: it is then made again."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()}
        return Report(**fields)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _write(path: Path, report: Report) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(report)), encoding="utf-8")
        unfinished.replace(path)  # at once: a reader never sees half a file
    except OSError as error:
        raise UserError(f"The result of the check cannot be kept in {path.parent}: {error}.") from error
