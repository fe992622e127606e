"""Ctrl-C, SIGTERM and SIGHUP while a run goes on: noted at once, acted upon where it is safe."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from diaken_cli.errors import Canceled

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """What was asked of this process so far.

    The first signal asks it to stop, and to undo where there is something to undo; the second to
    leave everything as it is. A third one ends it where it stands.
    """

    def __init__(self) -> None:
        self._received: list[signal.Signals] = []

    def requested(self) -> bool:
        """Whether to stop working."""
        return len(self._received) >= 1

    def insisted(self) -> bool:
        """Whether to stop even undoing."""
        return len(self._received) >= 2

    def check(self) -> None:
        """Raise Canceled where a stop was asked for."""
        if self.requested():
            raise Canceled(f"stopped by {self._received[0].name}")

    @contextmanager
    def heeded(self) -> Iterator["Stop"]:
        """Note these signals instead of dying of them."""
        before = {each: signal.signal(each, self._note) for each in SIGNALS}
        try:
            yield self
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(signal.Signals(number))
        if len(self._received) >= 3:
            raise KeyboardInterrupt
