"""Being asked to stop: SIGINT and SIGTERM leave word, and who is at work looks when it can stop without a loss."""

import signal
from types import FrameType, TracebackType

from lightning_fabric import Fabric

from pixda.machine import distributed


class Stop:
    """While it is entered, Ctrl-C and SIGTERM only leave word; a second Ctrl-C stops at once.

    What another process was asked is none of this one's: one Ctrl-C may reach them one after the other.
    """

    def __init__(self) -> None:
        self._number = 0
        self._heard = False  # by this process itself

    @property
    def asked(self) -> str | None:
        """Name of the signal that asked this process, if one did."""
        return signal.Signals(self._number).name if self._number else None

    def agree(self, fabric: Fabric) -> None:
        """Who asked one of several processes asked them all: they stop after the same step."""
        self._number = distributed.agreed(fabric, self._number)

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._heard and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._number, self._heard = number, True
