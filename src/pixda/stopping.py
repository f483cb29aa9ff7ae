"""Being asked to stop: SIGINT and SIGTERM leave word, and who is at work looks when it can stop without a loss."""

import signal
from types import FrameType, TracebackType


class Stop:
    """While it is entered, Ctrl-C and SIGTERM only leave word; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked: str | None = None
        """Name of the signal that asked, if one did."""

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
