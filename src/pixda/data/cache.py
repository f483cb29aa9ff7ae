"""The cache of decoded samples: written once, in parallel, and read by every run with the same data and size.

A folder for each (data, size, labels, decoders) holds two files that only grow: the samples, and a mark of 32 bytes
for each, which says which frame it is and what its files were like (size, time of change). A mark is written only after
its sample is on the disk, and samples without a mark do not count: a filling that was killed leaves whole samples, and
the next run goes on from there. A file that changed later has another mark, and gets a new sample.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import PIL
from filelock import FileLock, Timeout
from torch import Tensor

from pixda.data.dataset import SegmentationDataset
from pixda.data.parallel import in_threads
from pixda.data.stored import Stored
from pixda.errors import UserError
from pixda.terminal import console

_FORM = 2  # raise it when the same files give other samples than before
_MARK = 16  # bytes of a hash
_AT_A_TIME = 2**27  # bytes of samples between two commits
_SPARE = 2**28  # bytes that are left free on the disk


class Cache:
    """The cached samples of one dataset at one size; may be incomplete.

    Args:
        folder: of all caches; this one's is right in it.
        dataset: with a size; its samples are those that decoding gives, whatever is stored.
    """

    def __init__(self, folder: Path, dataset: SegmentationDataset) -> None:
        if dataset.size is None:
            raise ValueError("a cache is of samples of one size, and this dataset leaves each as it is stored")
        self.dataset, self.size = dataset, dataset.size
        self._facts = _facts(dataset)
        key = hashlib.sha256(json.dumps(self._facts).encode()).hexdigest()[:12]
        self.folder = folder.expanduser() / f"{dataset.title.lower()}-{self.size[0]}x{self.size[1]}-{key}"
        self._bytes = 4 * self.size[0] * self.size[1]
        self._marks = [_hash(where) + _hash(where + state) for where, state in dataset.frames.states()]
        self._files: tuple[BinaryIO, BinaryIO] | None = None
        self._unwritten: list[bytes] = []  # marks of samples that do not count yet
        self._look()

    @property
    def missing(self) -> list[int]:
        """Indices of the frames that are not cached yet; one for each file."""
        first = {mark: index for index, mark in reversed(list(enumerate(self._marks)))}
        return sorted(index for mark, index in first.items() if mark not in self._rows)

    def stored(self) -> Stored:
        """A reader of the complete cache."""
        return Stored(self._path("samples"), self.size, np.array([self._rows[mark] for mark in self._marks]))

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Lock the cache for writing; waits while another process has it.

        Raises:
            UserError: the disk would not hold what is missing, or cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _lock(self.folder):
                self._look()  # the other process may have made them
                if self.missing:
                    self._announce()
                    self._open()
                yield
                self._commit()
        except OSError as error:
            room = " Its disk is full." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise UserError(
                f"The cache of decoded samples cannot be written to {self.folder} ({error.strerror or error}).{room} "
                "Give --machine.cache a folder with room that you may write to, or leave it out."
            ) from error
        finally:
            for file in self._files or ():
                file.close()
            self._files, self._unwritten = None, []

    def add(self, index: int, image: Tensor, mask: Tensor) -> None:
        """Write the sample of one frame: uint8 ``3 x H x W`` and ``H x W``."""
        assert self._files is not None, "only inside of filling()"
        samples, _ = self._files
        for part in (image, mask):
            _write(samples, part.contiguous().numpy().tobytes())
        self._unwritten.append(self._marks[index])
        if len(self._unwritten) * self._bytes >= _AT_A_TIME:
            self._commit()

    def fill(self, threads: int | None = None) -> None:
        """Decode what is missing, with a progress bar. Raises UserError naming a file that cannot be read."""
        dataset, missing = self.dataset, self.missing
        title = f"Caching {dataset.title} {dataset.split}"

        def decoded(index: int) -> tuple[Tensor, Tensor]:
            return dataset.decoded(dataset.frames[index])

        with in_threads(decoded, missing, title, threads=threads) as samples:
            for index, (image, mask) in zip(missing, samples, strict=True):
                self.add(index, image, mask)

    # ---- the two files

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.uint8"

    def _look(self) -> None:
        """Read which samples are complete."""
        try:
            marks = self._path("frames").read_bytes()
            held = self._path("samples").stat().st_size // self._bytes
        except (FileNotFoundError, NotADirectoryError):
            marks, held = b"", 0
        count = min(len(marks) // (2 * _MARK), held)
        self._rows = {marks[2 * _MARK * row : 2 * _MARK * (row + 1)]: row for row in range(count)}
        self._count = count

    def _open(self) -> None:
        """Truncate incomplete samples and append from there."""
        (self.folder / "about.json").write_text(json.dumps(self._facts, indent=1) + "\n", encoding="utf-8")
        samples, marks = (self._path(name).open("ab", buffering=0) for name in ("samples", "frames"))
        samples.truncate(self._count * self._bytes)
        marks.truncate(self._count * 2 * _MARK)
        self._files = samples, marks

    def _commit(self) -> None:
        """Flush the samples written so far to the disk, then mark them complete."""
        if self._files is None or not self._unwritten:
            return
        samples, marks = self._files
        os.fsync(samples.fileno())
        _write(marks, b"".join(self._unwritten))
        os.fsync(marks.fileno())
        for mark in self._unwritten:
            self._rows[mark] = self._count
            self._count += 1
        self._unwritten = []

    # ---- what is said

    def _announce(self) -> None:
        """Print what will be written and which other caches exist. Raises UserError if the disk is too small."""
        dataset, missing = self.dataset, self.missing
        takes, free = len(missing) * self._bytes, shutil.disk_usage(self.folder).free
        where = f"{dataset.title} in {dataset.root}, split '{dataset.split}'"
        if takes + _SPARE > free:
            raise UserError(
                f"A cache of {len(missing)} samples of {where}, takes {_size(takes)}, and the disk of {self.folder} "
                f"has {_size(free)} free: give --machine.cache a folder on a larger one, lower --size, or leave it out."
            )
        say = console().print
        say(f"cache: {len(missing)} samples of {where}, {_size(takes)}, go to {self.folder}", soft_wrap=True)
        known = {mark[:_MARK] for mark in self._rows}
        changed = sum(self._marks[index][:_MARK] in known for index in missing)
        if changed:
            say(
                f"cache: the files of {changed} frames have changed since they were cached; they are decoded anew. "
                f"What was made of the old ones ({_size(changed * self._bytes)}) goes when {self.folder} is removed.",
                soft_wrap=True,
            )
        if not self._rows:
            for other, differs in self._others():
                say(
                    f"cache: {other} is of the same data, but of {differs}; remove it if no other run reads it.",
                    soft_wrap=True,
                )

    def _others(self) -> Iterator[tuple[Path, str]]:
        """Caches of the same data that do not fit, each with the difference."""
        for path in sorted(self.folder.parent.glob("*/about.json")):
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            same = isinstance(facts, dict) and all(facts.get(key) == self._facts[key] for key in ("dataset", "root"))
            if same and path.parent != self.folder:
                yield path.parent, " and ".join(key for key in self._facts if facts.get(key) != self._facts[key])


def _facts(dataset: SegmentationDataset) -> dict[str, Any]:
    """Everything besides the frame's files that determines a sample, as JSON values."""
    labels = dataset.labels
    known = zip(labels.codes.tolist(), labels.classes_of(labels.codes).tolist(), strict=True)
    return {
        "dataset": dataset.title,
        "root": str(dataset.root.absolute()),
        "another size": list(dataset.size or ()),
        "other labels": [labels.scheme, labels.coloured, [*map(list, known)]],
        "other decoders": f"form {_FORM}, Pillow {PIL.__version__}, OpenCV {cv2.__version__}",
    }


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """A lock on the cache, released by the system however the process ends."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        console().print(f"cache: another process is filling {folder}; waiting for it", soft_wrap=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(file: BinaryIO, content: bytes) -> None:
    """Write everything: an unbuffered write may silently stop short on a nearly full disk."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_MARK).digest()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
