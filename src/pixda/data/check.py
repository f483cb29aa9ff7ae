"""The dataset check: decode every frame once before training and report everything that is wrong."""

import hashlib
import json
import os
import re
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixda.data.cache import Cache
from pixda.data.classes import IGNORE
from pixda.data.dataset import SegmentationDataset
from pixda.data.findings import OddFiles, Palettes, UnknownLabels, copies
from pixda.data.look import Look, look_at
from pixda.data.parallel import in_threads
from pixda.errors import UserError
from pixda.reading import read_json
from pixda.terminal import console
from pixda.writing import atomic_write

_CACHE_FORM = 5  # raise it when the report's fields or the checks change
_MUCH_IGNORED = 0.5


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
    """What forbids training, a sentence each: files without partners, broken frames in order, unknown ids."""
    warnings: tuple[str, ...] = ()
    """What should be looked at: masks of one label, blank images, copies of pictures, much that is ignored."""
    images: dict[str, int] = field(default_factory=dict)
    """Size and kind of images ("480 x 360, 8-bit RGB JPEG") to number of files, the most frequent first."""
    masks: dict[str, int] = field(default_factory=dict)
    """The same of masks."""
    codes: dict[str, int] = field(default_factory=dict)
    """Raw id or colour ("7", "#804080") to pixels: all of the label scheme, 0 where never seen, then unknown ones."""
    digests: dict[str, str] = field(default_factory=dict)
    """Frame name to the hash of its picture."""
    fresh: bool = field(default=False, compare=False)
    """Whether the files were decoded just now; the warnings of a kept report have been shown before."""

    @property
    def ignored_share(self) -> float:
        """Part of all mask pixels that is ignored, 0..1; 0 where there are no masks."""
        return self.ignored / max(sum(self.pixels) + self.ignored + self.unknown, 1)

    @property
    def absent(self) -> list[str]:
        """Names of the classes without a single pixel."""
        return [name for name, count in zip(self.names, self.pixels, strict=True) if count == 0]

    def raise_if_bad(self, allowed: int = 0) -> None:
        """Raise UserError with the first problem in full and the number of further ones, if more than `allowed`."""
        if len(self.problems) > allowed:
            rest = len(self.problems) - 1
            more = f" ({rest} more like this were found; pixda check lists them all.)" if rest else ""
            raise UserError(self.problems[0] + more)


def check(
    dataset: SegmentationDataset,
    cache: Path | None = None,
    progress: bool = True,
    threads: int | None = None,
    samples: Cache | None = None,
) -> Report:
    """Decode every pair as stored, compare sizes, and count the pixels of every label id.

    With `cache`, a folder, a report without problems is kept there and returned at once as long as no file
    (name, size, time of change) and no label id has changed. `threads`: by default one for each processor.
    `samples`, a cache, is given the samples that it lacks, so that no file is decoded twice.
    """
    kept = cache / f"check-{_key(dataset)}.json" if cache is not None else None
    with samples.filling() if samples is not None and samples.missing else nullcontext():
        report = _read(kept) if kept is not None else None
        if report is None:
            report = _checked(dataset, progress, threads, samples)
            # Problems are not kept: they may go without a change of any file (a right to read, a full disk).
            if kept is not None and not report.problems and not _write(kept, report):
                said = f"what was found cannot be kept in {kept.parent} (--runs names another place)"
                console(stderr=True).print(f"Remark: {said}; the next check looks at all files again.", soft_wrap=True)
            report = replace(report, fresh=True)
        elif samples is not None:
            samples.fill(threads)
    return report


def _checked(dataset: SegmentationDataset, progress: bool, threads: int | None, samples: Cache | None) -> Report:
    labels = dataset.labels
    total: Counter[int] = Counter()
    unknown, palettes, odd = UnknownLabels(dataset), Palettes(), OddFiles(labels.coloured)
    kinds: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    problems: list[str] = [*dataset.problems]
    digests: dict[str, str] = {}
    wanted = set() if samples is None else set(samples.missing)
    title = f"Checking{' and caching' if wanted else ''} {dataset.title} {dataset.split}"

    def looked(index: int) -> Look:
        return look_at(dataset, dataset.frames[index], index in wanted)

    with in_threads(looked, range(len(dataset)), title, progress, threads) as looks:
        for index, look in enumerate(looks):
            if samples is not None and look.sample is not None:
                samples.add(index, *look.sample)
            problems += look.problems
            for kind, counter in zip((look.image, look.mask), kinds, strict=True):
                counter.update([] if kind is None else [kind])
            if look.digest is not None:
                digests[look.frame.name] = look.digest
            odd.add(look)
            if look.counts is not None:
                total.update(dict(zip(look.counts.codes.tolist(), look.counts.pixels.tolist(), strict=True)))
                unknown.add(look)
                palettes.add(str(look.frame.mask), look.palette)
    known = {code: total[code] for code in labels.codes.tolist()}
    classes = labels.classes_of(labels.codes)
    by_class = np.bincount(classes, list(known.values()), minlength=256).astype(int).tolist()
    ignored, count = by_class[IGNORE], len(dataset.classes.names)
    warnings = [
        *odd.remarks(),
        *palettes.remarks(),
        *copies([frame.name for frame in dataset.frames], digests),
        *dataset.search.remarks,
    ]
    everything = sum(by_class) + unknown.pixels
    if ignored > _MUCH_IGNORED * everything:
        warnings.append(
            f"{100 * ignored / everything:.0f} % of all pixels are ignored; see whether '{dataset.scheme}' is the "
            "label scheme that the masks were written in."
        )
    return Report(
        frames=len(dataset),
        names=dataset.classes.names,
        pixels=tuple(by_class[:count]),
        ignored=ignored,
        unknown=unknown.pixels,
        problems=(*problems, *palettes.problems(), *unknown.sentences(set(+total))),
        warnings=tuple(warnings),
        images=dict(kinds[0].most_common()),
        masks=dict(kinds[1].most_common()),
        codes={labels.shown(code): pixels for code, pixels in [*known.items(), *unknown.total.most_common()]},
        digests=digests,
    )


def _key(dataset: SegmentationDataset) -> str:
    facts = f"{_CACHE_FORM}\n{dataset.title}\n{dataset.root.absolute()}\n{dataset.classes.names}\n"
    digest = hashlib.sha256(os.fsencode(facts))
    labels = dataset.labels
    digest.update(f"{labels.scheme} {labels.coloured}".encode())
    digest.update(labels.codes.tobytes() + labels.classes_of(labels.codes).tobytes())
    for sentence in (*dataset.problems, *dataset.search.remarks):
        digest.update(sentence.encode(errors="surrogateescape"))
    for name, files in zip(dataset.frames.names.tolist(), dataset.frames.states(), strict=True):
        digest.update(b"\n".join((name, *files, b"")))
    return digest.hexdigest()[:32]


def _read(path: Path) -> Report | None:
    """Return the stored report, or None if there is none that can be read."""
    try:
        stored = read_json(path, "The kept check")
        fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()}
        report = Report(**fields)
        return report if _is_whole(report) else None
    except (UserError, TypeError, AttributeError):
        return None


def _is_whole(report: Report) -> bool:
    """Whether all fields have their types; the file may be damaged."""
    texts = (*report.names, *report.problems, *report.warnings, *report.digests, *report.digests.values())
    counts = [number for table in (report.images, report.masks, report.codes) for number in table.values()]
    numbers = (report.frames, report.ignored, report.unknown, *report.pixels, *counts)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(re.match(r"[1-9]\d* x [1-9]\d*", kind) for kind in report.images)
        and len(report.names) == len(report.pixels)
    )


def _write(path: Path, report: Report) -> bool:
    """Store a report; False if the folder is not writable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, shared=True) as file:
            file.write_text(json.dumps(asdict(report)), encoding="utf-8")
    except OSError:
        return False
    return True
