"""Ctrl-C, SIGTERM and SIGHUP while a run goes on: noted at once, acted upon where it is safe."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from diaken_cli.actions import canceled
from diaken_cli.errors import Canceled, StoppedBySignal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_SECONDS = 0.5
"""A signal that follows another one so closely is that one again: shells, sudo(8) and timeout(1)
pass on what the terminal has sent to the whole process group already."""


class Stop:
    """What was asked of this process so far.

    The first signal asks it to stop, and to undo where there is something to undo; the second to
    leave everything as it is. A third one ends it where it stands. A hangup is no second one: it
    comes from the kernel and from the shell, and nobody is there who could insist.

    Who canceled the run from another process has left a note beside its `lock` file.
    """

    def __init__(self, lock: Path | None = None) -> None:
        self._lock = lock
        self._received: list[signal.Signals] = []
        self._why = ""
        self._last_at = 0.0
        self._breaks: Callable[[], bool] | None = None

    def requested(self) -> bool:
        """Whether to stop working."""
        return len(self._received) >= 1

    def insisted(self) -> bool:
        """Whether to stop even undoing."""
        return len(self._received) >= 2

    def check(self) -> None:
        """Raise Canceled where a stop was asked for."""
        if self.requested():
            raise Canceled(self._why)

    @contextmanager
    def at_once(self, asked: Callable[[], bool] | None = None) -> Iterator[None]:
        """Let a signal break what only looks, and may wait for an answer for a minute.

        For the main thread. Raises Canceled, also where a stop was asked for before. `asked` says
        whether one was, where that is another one than the first.
        """
        asked = asked or self.requested
        self._breaks = asked
        try:
            if asked():
                self.check()
            yield
        except BaseException:  # a KeyboardInterrupt, or what it became on its way
            if asked():
                self.check()
            raise
        finally:
            self._breaks = None

    def heed(self) -> "Stop":
        """Note these signals from now on, for as long as this process lives.

        How a run ended stands before it has been told: a signal that comes in between must not
        make another exit status of it. Under nohup(1) a hangup stays ignored.
        """
        for each in SIGNALS:
            if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, self._note)
        return self

    @contextmanager
    def heeded(self) -> Iterator["Stop"]:
        """Note these signals for a while, instead of dying of them."""
        before = {each: signal.getsignal(each) for each in SIGNALS}
        try:
            yield self.heed()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        last_at, self._last_at = self._last_at, time.monotonic()
        again = number == signal.SIGHUP or self._last_at - last_at < SAME_SECONDS
        if self._received and again:
            return
        self._received.append(signal.Signals(number))
        self._why = self._why or self._reason(self._received[0])
        if len(self._received) >= 3:
            raise StoppedBySignal(self._received[-1].name)
        if self._breaks is not None and self._breaks():
            raise KeyboardInterrupt

    def _reason(self, received: signal.Signals) -> str:
        if self._lock is not None and received is signal.SIGTERM:
            user = canceled.by(self._lock)
            if user is not None:
                return f"canceled by {user} from another process"
        return f"stopped by {received.name}"
