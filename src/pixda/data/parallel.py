"""A function over many items in several threads, with the results in order and a progress bar."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar

from rich.progress import track

from pixda.terminal import console

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    title: str,
    progress: bool = True,
    threads: int | None = None,
) -> Iterator[Iterable[Result]]:
    """Give ``function(item)`` of every item, in order. Decoders let other threads run, so threads are enough.

    Leaving the block early, as an interrupt does, drops the items that wait and takes no longer than those being done.

    Args:
        function: called in any thread.
        items: all that there are.
        title: of the progress bar.
        progress: whether a terminal shows the bar.
        threads: how many; by default one for each processor.
    """
    screen = console()
    quiet = not (progress and screen.is_terminal)
    with closing(_in_order(function, items, threads or os.cpu_count() or 1)) as results:
        yield track(results, title, len(items), console=screen, transient=True, disable=quiet)


def _in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Generator[Result, None, None]:
    """The threads run only a few items ahead of the caller: results may be large."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
