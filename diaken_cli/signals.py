"""SIGINT, SIGTERM and SIGHUP, from the first line of a call to its last: none of them is ignored.

A run takes them over while it goes on (`stop.py`). Only builtins are imported, for ticks of cron.
"""

import _signal  # type: ignore[import-not-found]  # `signal` would make enums of its numbers first
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

NAMES = {_signal.SIGINT: "SIGINT", _signal.SIGTERM: "SIGTERM", _signal.SIGHUP: "SIGHUP"}
RETRY_SECONDS = 0.01
SAME_SECONDS = 0.5  # shells, sudo(8) and timeout(1) pass on what the terminal has sent already
STOPPED = 130


class Signals:
    """The signals of this process: noted while it starts and ends, raised in between.

    An exception would interrupt an import or the output. A second signal, sent later, ends the
    process at once.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._received_at = 0.0
        self._raising = False
        self._receive: Callable[[int], None] | None = None
        self._installed: list[int] = []

    def install(self) -> "Signals":
        """Note signals from now on; under nohup(1) and in a script's `&` what is ignored stays."""
        sys.unraisablehook = self._raise_again
        for number in NAMES:
            if number == _signal.SIGTERM or _signal.getsignal(number) is not _signal.SIG_IGN:
                _signal.signal(number, self._handle)
                self._installed.append(number)
        return self

    def start_raising(self) -> None:
        """Raise StoppedBySignal from now on, at once where one was received before."""
        self._raising = True
        self._raise_received()

    def stop_raising(self) -> None:
        """Only note signals from now on: the output of the command is being printed."""
        self._raising = False
        self._receive = None

    def hand_to(self, receive: "Callable[[int], None] | None") -> "Callable[[int], None] | None":
        """Pass each signal to `receive` from now on, None: to nobody; return the one before."""
        before, self._receive = self._receive, receive
        return before

    def ignore(self) -> None:
        """Ignore signals while the interpreter ends: they must not change the exit status."""
        for number in self._installed:
            _signal.signal(number, _signal.SIG_IGN)

    def _handle(self, number: int, _frame: "FrameType | None") -> None:
        import os

        if self._receive is not None:
            self._receive(number)
            return
        now = time.monotonic()
        if self.received is None:
            self.received, self._received_at = NAMES[number], now
        elif not self._raising and now - self._received_at > SAME_SECONDS:
            os._exit(STOPPED)
        self._raise_if_raising()

    def _raise_if_raising(self, *_: object) -> None:
        if self._raising:
            self._raise_received()

    def _raise_received(self) -> None:
        if self.received is not None:
            from diaken_cli.errors import StoppedBySignal

            raise StoppedBySignal(self.received)

    def _raise_again(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """In a callback of Python's own (an import's, say) an exception is lost: raise it later."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            _signal.signal(_signal.SIGALRM, self._raise_if_raising)
            _signal.setitimer(_signal.ITIMER_REAL, RETRY_SECONDS)
        else:
            sys.__unraisablehook__(unraisable)
