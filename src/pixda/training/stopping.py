"""SIGINT and SIGTERM set a flag, which the training loop looks at between two steps."""

import signal
from types import FrameType, TracebackType

from lightning_fabric import Fabric

from pixda.machine import distributed


class Stop:
    """Context in which Ctrl-C and SIGTERM only set a flag; a second Ctrl-C interrupts at once.

    "Second" counts the signals of this process alone: one Ctrl-C may reach several processes one after the other.
    """

    def __init__(self) -> None:
        self._number = 0
        self._heard = False  # the signal came to this process itself

    @property
    def asked(self) -> str | None:
        """Name of the signal received, if any."""
        return signal.Signals(self._number).name if self._number else None

    def agree(self, fabric: Fabric) -> None:
        """Share the flag among all ranks, so that they stop after the same step."""
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
