"""The stop token: collects the signals of a call; made in `__main__` and handed down."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from diaken_cli import liveness
from diaken_cli.errors import Canceled, StoppedBySignal
from diaken_cli.signals import SAME_SECONDS, Signals


class Stop:
    """Whether this process was asked to stop.

    While nothing is being changed a signal breaks what goes on (`signals.py`). A run defers that: a
    signal is noted, and acted upon where it is safe. The first one asks it to stop, and to
    undo where there is something to undo; the second forces it to leave everything as it is; a
    third one ends it where it stands. A hangup is no second one: it comes from the kernel and from
    the shell, and nobody is there who could force anything.
    """

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        self._lock: Path | None = None
        self._received: list[signal.Signals] = []
        self._reason = ""
        self._last_at = 0.0
        self._breaks: Callable[[], bool] | None = None

    def requested(self) -> bool:
        """Whether to stop working."""
        return len(self._received) >= 1

    def forced(self) -> bool:
        """Whether to stop even undoing."""
        return len(self._received) >= 2

    def check(self) -> None:
        """Raise Canceled where a stop was requested."""
        if self.requested():
            raise Canceled(self._reason)

    def defer(self, lock: Path | None = None) -> None:
        """Only note signals, for as long as this process lives: it carries out a run.

        How a run ended stands before it has been told: a signal that comes in between must not
        make another exit status of it. Who cancels the run from another process leaves a note
        beside its `lock` file.
        """
        self._lock = lock
        self._signals.hand_to(self._take)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note signals within this context."""
        before = self._signals.hand_to(self._take)
        try:
            yield
        finally:
            self._signals.hand_to(before)

    @contextmanager
    def interruptible(self, requested: Callable[[], bool] | None = None) -> Iterator[None]:
        """Let a signal break what only looks, and may wait for an answer for a minute.

        For the main thread. Raises Canceled, also where a stop was requested before. `requested`
        says whether one was, where that is another one than the first.
        """
        requested = requested or self.requested
        self._breaks = requested
        try:
            if requested():
                self.check()
            yield
        except BaseException:  # a KeyboardInterrupt, or what it became on its way
            if requested():
                self.check()
            raise
        finally:
            self._breaks = None

    def _take(self, number: int) -> None:
        last_at, self._last_at = self._last_at, time.monotonic()
        again = number == signal.SIGHUP or self._last_at - last_at < SAME_SECONDS
        if self._received and again:
            return
        self._received.append(signal.Signals(number))
        self._reason = self._reason or self._describe(self._received[0])
        if len(self._received) >= 3:
            raise StoppedBySignal(self._received[-1].name)
        if self._breaks is not None and self._breaks():
            raise KeyboardInterrupt

    def _describe(self, received: signal.Signals) -> str:
        if self._lock is not None and received is signal.SIGTERM:
            user = liveness.canceled_by(self._lock)
            if user is not None:
                return f"canceled by {user} from another process"
        return f"stopped by {received.name}"
