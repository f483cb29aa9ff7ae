"""Writes frames of the street world to disk, one or many at once; needs no torch, so workers start fast."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pixda.errors import UserError
from pixda.terminal import console
from pixda.writing import atomic_write
from streetworld.basics import Array, Domain, WorldOptions
from streetworld.render import render

_SECONDS_TO_END = 20.0
FEW = 4  # so few frames are drawn right here: starting workers would take longer


@dataclass(frozen=True)
class RenderJob:
    """One frame to draw and where its files go."""

    domain: Domain
    index: int
    options: WorldOptions
    city: int
    image: Path
    mask: Path


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that it is either there as a whole or not at all; several runs may draw one world."""
    with atomic_write(path, shared=True) as file:
        file.write_bytes(data)


def _encode(suffix: str, picture: Array, settings: Sequence[int]) -> bytes:
    ok, data = cv2.imencode(suffix, picture, settings)
    if not ok:
        raise RuntimeError(f"OpenCV could not encode a {suffix} file")
    return bytes(data.tobytes())


def write_frame(job: RenderJob) -> None:
    """Draw a frame and write those of its two files that are missing."""
    image, mask = render(job.domain, job.index, job.options, job.city)
    if not job.mask.is_file():
        write_file(job.mask, _encode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 6]))
    if not job.image.is_file():
        write_file(job.image, _encode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95]))


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes begun in here never see Ctrl-C, which a terminal sends to all at once.

    The one that began them stops them: each ends its frame first. Workers that an interrupt ends in the middle can
    leave the pool waiting for them for ever.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _end(pool: ProcessPoolExecutor, others: set[BaseProcess]) -> None:
    """Drop the frames that wait, and give the workers the time to end those that they have begun, but no more.

    A second interrupt must not stop this: the pool would draw all frames before the program ends.

    Args:
        pool: whose workers are ended.
        others: processes that are not of the pool.
    """
    until = time.monotonic() + _SECONDS_TO_END
    again: KeyboardInterrupt | None = None
    while True:
        try:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.join(max(0.0, until - time.monotonic()))
                if worker.is_alive():
                    worker.kill()
            break
        except KeyboardInterrupt as error:
            again = error
    if again is not None:
        raise again


def write_frames(jobs: Sequence[RenderJob], what: str) -> None:
    """Write all frames that are missing, on all cores, showing how long is left.

    Stopping it loses nothing that is written; the next call goes on from there. A script that calls this
    needs the usual `if __name__ == "__main__":`, because the workers are started afresh.
    """
    missing = [job for job in jobs if not (job.image.is_file() and job.mask.is_file())]
    for folder in {path.parent for job in missing for path in (job.image, job.mask)}:
        folder.mkdir(parents=True, exist_ok=True)
    if len(missing) <= FEW:
        for job in missing:
            write_frame(job)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    workers = min(_cores(), len(missing))
    context = multiprocessing.get_context("spawn")
    screen = console(stderr=True)
    if not screen.is_terminal:  # where a bar is shown when it is full, and not before
        screen.print(f"{what}: {len(missing)} frames, {workers} at a time, a few a second each", soft_wrap=True)
    with Progress(*columns, console=screen) as progress:
        task = progress.add_task(what, total=len(missing))
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,))
        try:
            with _interrupts_held_back():
                frames = [pool.submit(write_frame, job) for job in missing]
            for done in as_completed(frames):
                done.result()
                progress.advance(task)
        except BrokenProcessPool:
            raise UserError(
                f"{what}: a rendering process ended early, for lack of memory or because the calling script has "
                'no `if __name__ == "__main__":`; put that right and call again, what is written stays.'
            ) from None
        finally:
            _end(pool, others)
