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
ANSWER_SECONDS = 1.0  # for the rest of an answer that has begun to be printed
END_SECONDS = 2.0  # for what is printed at the end, to a reader that may have stopped reading
STALLED_SECONDS = 2.0  # that a reader may hold up a run which a signal has asked to stop
LOOK_SECONDS = 0.5  # from one look at the readers to the next
STOPPED = 130
SAME_SECONDS = 0.5
"""A signal that follows another one so closely is that one again: shells, sudo(8) and timeout(1)
pass on what the terminal has sent to the whole process group already."""


class Signals:
    """The signals of this process: noted while it starts and ends, raised in between.

    An exception would interrupt an import or the output. While the answer of a command is being
    printed a signal waits until that is done, so that the exit status is what the answer says.
    A second signal, sent later, ends the process at once.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self.raised = False
        self._received_at = 0.0
        self._number = 0
        self._waits = False  # what was received, until it is raised or passed on
        self._drop_stalled: list[Callable[[float], None]] = []
        self._raising = self._answering = self._ending = False
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

    def begin_answer(self) -> None:
        """Raise no signal from now on, for the answer is being printed: that ends the command.

        Where it has not ended ANSWER_SECONDS after a signal, the signal is raised all the same: the
        reader may have stopped reading.
        """
        self._answering = True

    def expect_more(self) -> None:
        """Raise signals again: what was printed is not the whole answer, and may have to wait."""
        self._answering = False
        self._deliver_waiting()

    def stop_raising(self) -> None:
        """Only note signals from now on: the end of the command is being printed, and no more."""
        self._raising = False
        self._receive = None
        self._ending = True
        if self.received is not None:
            self._end_in_time()

    def hand_to(self, receive: "Callable[[int], None] | None") -> "Callable[[int], None] | None":
        """Pass each signal to `receive` from now on, None: to nobody; return the one before.

        So is one that was noted and has not been raised yet.
        """
        before, self._receive = self._receive, receive
        if receive is not None:
            self._deliver_waiting()
        return before

    def watch_reader(self, drop_stalled: "Callable[[float], None]") -> None:
        """Call this each half a second once a run was told of a signal, until the process ends.

        It is to give up a reader that has held up the output for so many seconds: a run whose
        output is blocked would not hear that it is to stop.
        """
        self._drop_stalled.append(drop_stalled)

    def ignore(self) -> None:
        """Ignore signals while the interpreter ends: they must not change the exit status."""
        for number in self._installed:
            _signal.signal(number, _signal.SIG_IGN)
        _signal.setitimer(_signal.ITIMER_REAL, 0)

    def _handle(self, number: int, _frame: "FrameType | None") -> None:
        if self._receive is not None:
            self._pass_on(number, self._receive)
            return
        now = time.monotonic()
        again = self.received is not None and now - self._received_at > SAME_SECONDS
        if self.received is None:
            self.received, self._number, self._received_at = NAMES[number], number, now
        if self._raising and self._answering and not again:
            self._deliver_after(ANSWER_SECONDS)
        elif self._raising:
            self._raise_received()
        elif again:
            _exit()
        elif self._ending:
            self._end_in_time()

    def _end_in_time(self) -> None:
        _call_after(END_SECONDS, _exit)

    def _pass_on(self, number: int, receive: "Callable[[int], None]") -> None:
        """Pass a signal to the run; no reader is to keep the run from acting upon it."""
        _call_after(STALLED_SECONDS, self._drop_stalled_readers, LOOK_SECONDS)
        receive(number)

    def _drop_stalled_readers(self, *_: object) -> None:
        for drop in self._drop_stalled:
            drop(STALLED_SECONDS)

    def _deliver_after(self, seconds: float) -> None:
        self._waits = True
        _call_after(seconds, self._deliver_waiting)

    def _deliver_waiting(self, *_: object) -> None:
        waits, self._waits = self._waits, False
        if waits and self._receive is not None:
            self._pass_on(self._number, self._receive)
        elif waits and self._raising:
            self._raise_received()

    def _raise_received(self) -> None:
        if self.received is not None:
            from diaken_cli.errors import StoppedBySignal

            self.raised = True
            raise StoppedBySignal(self.received)

    def _raise_again(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """In a callback of Python's own (an import's, say) an exception is lost: raise it later."""
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)
        elif self.received is not None:
            self._deliver_after(RETRY_SECONDS)


def _call_after(seconds: float, function: "Callable[..., None]", again: float = 0) -> None:
    """Call a function once, with `again` each so many seconds after that."""
    _signal.signal(_signal.SIGALRM, function)
    _signal.setitimer(_signal.ITIMER_REAL, seconds, again)


def _exit(*_: object) -> None:
    import os

    os._exit(STOPPED)
