"""Loading that goes on, or stops without a loss, when a file turns unreadable or a loader process dies."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from torch.utils.data import DataLoader

from pixda.data.dataset import Sample
from pixda.data.drawing import Draw, Drawn, Loaded
from pixda.errors import UserError, first_line


class Unreadable:
    """The files that turned unreadable during a run, and how many may.

    Attributes:
        limit: how many; 0 stops at the first.
        files: the error of each, in the order in which they were found.
        tell: called with a sentence about each.
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.files: list[str] = []
        self.tell: Callable[[str], None] = lambda text: None

    def add(self, error: UserError) -> None:
        """Count a file. Raises its error where it is one too many."""
        text = str(error)
        if text in self.files:
            return
        if not self.limit:
            raise error
        if len(self.files) == self.limit:
            raise UserError(f"{text} It is one more than the {self.limit} that may be skipped (--skip_unreadable).")
        self.files.append(text)
        self.tell(f"skipped, {len(self.files)} of at most {self.limit}: {text}")

    def join(self, of_all: Iterable[Sequence[str]]) -> None:
        """Count what any process has found, each file once. Raises UserError where together they are too many."""
        for text in dict.fromkeys(chain.from_iterable(of_all)):
            self.add(UserError(text))


def replace_unreadable(
    samples: Sequence[Sample | UserError],
    drawn: Drawn,
    batches: Sequence[Sequence[Draw]],
    number: int,
    unreadable: Unreadable,
) -> list[Sample]:
    """Replace each unreadable image of a batch by the image at its place in the next batch.

    That one is of the same source, and selection has kept it; it gets the crop of the image that it replaces. Which
    image is taken depends on the drawn order and on the files alone, not on where a run was stopped.

    Args:
        samples: as loaded, or the error in place of one.
        drawn: loads the others.
        batches: all of the epoch, from its beginning.
        number: which of them this is.
        unreadable: counts, and says whether to go on.
    """
    whole: list[Sample] = []
    for place, sample in enumerate(samples):
        if isinstance(sample, UserError):
            unreadable.add(sample)
            later = [*batches[number + 1 :], *batches[: number + 1]]
            others = chain((batch[place] for batch in later if place < len(batch)), chain.from_iterable(later))
            sample = _first_readable(others, batches[number][place].seed, drawn, unreadable) or sample
        if isinstance(sample, UserError):
            raise UserError(f"{sample} No other image is left to take its place.")
        whole.append(sample)
    return whole


def _first_readable(others: Iterator[Draw], seed: int, drawn: Drawn, unreadable: Unreadable) -> Sample | None:
    for other in others:
        sample = drawn[Draw(other.place, seed)]
        if not isinstance(sample, UserError):
            return sample
        unreadable.add(sample)
    return None


def loaded_batches(loader: "DataLoader[Sample | UserError]") -> Iterator[Loaded]:
    """What a loader loads. A loader process that dies is a UserError, raised where its batch is waited for.

    On its own torch raises for a dead worker wherever the main process happens to be: in the middle of a step, whose
    networks could then not be saved.
    """
    before = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, before)
    while True:
        try:
            batch = next(batches, None)
        except (RuntimeError, EOFError, OSError) as error:
            if not (loader.num_workers and _is_of_a_dead_process(error)):
                raise
            raise UserError(
                f"A loader process was ended from outside ({first_line(error)}): by hand, or by the system for lack "
                "of memory, of which fewer --machine.workers need less."
            ) from error
        if batch is None:
            return
        yield batch


def _is_of_a_dead_process(error: Exception) -> bool:
    """Whether torch found the process gone, or the pipe broken through which it handed its pictures over."""
    text = str(error)
    if "Caught " in text:  # the process lives: this is an error that it reports
        return False
    return "DataLoader worker (pid" in text or isinstance(error, EOFError | ConnectionError | FileNotFoundError)
