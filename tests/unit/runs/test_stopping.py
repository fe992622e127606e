"""Signals: what they say is told, and nothing that Python makes of it on the way."""

import codecs
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from diaken_cli.errors import Canceled, DiakenError, StoppedBySignal, message_of
from diaken_cli.signals import ANSWER_SECONDS, NAMES, Signals
from diaken_cli.stop import Stop

CODEC = "stopped-in-a-codec"


@contextmanager
def codec_in_which(interrupt: KeyboardInterrupt) -> Iterator[None]:
    """A codec that a signal falls into, as it may while a name is encoded for the network."""

    def stopped(_text: str, _errors: str = "strict") -> tuple[bytes, int]:
        raise interrupt

    def find(name: str) -> codecs.CodecInfo | None:
        decode = codecs.getdecoder("ascii")
        known = name.replace("_", "-") == CODEC
        return codecs.CodecInfo(stopped, decode, name=CODEC) if known else None

    codecs.register(find)
    try:
        yield
    finally:
        codecs.unregister(find)


@pytest.mark.parametrize(
    ("interrupt", "message"),
    [
        (KeyboardInterrupt(), "stopped"),
        (KeyboardInterrupt("some words"), "stopped"),
        (StoppedBySignal("SIGTERM"), "stopped by SIGTERM"),
    ],
)
def test_a_signal_that_falls_into_a_codec_says_what_it_says_elsewhere(
    interrupt: KeyboardInterrupt, message: str
) -> None:
    with codec_in_which(interrupt), pytest.raises(KeyboardInterrupt) as raised:
        "web01".encode(CODEC)
    assert Canceled.by(raised.value).message == message
    assert message_of(raised.value) == message


def test_a_fault_without_words_is_told_by_its_type() -> None:
    assert message_of(ValueError()) == "ValueError"
    assert message_of(ValueError("no size")) == "no size"


@contextmanager
def installed() -> Iterator[Signals]:
    """A process that handles its signals, for as long as a test needs it."""
    before = {number: signal.getsignal(number) for number in (*NAMES, signal.SIGALRM)}
    hook = sys.unraisablehook
    try:
        yield Signals().install()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def handling() -> Iterator[Stop]:
    """A process that carries out a run."""
    with installed() as signals:
        stop = Stop(signals)
        with stop.deferred():
            yield stop


def send_soon() -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()


def look_and_go_on() -> None:
    try:
        time.sleep(30)
    except DiakenError:
        time.sleep(30)


def test_a_look_is_broken_off_by_a_signal_and_names_it() -> None:
    began = time.monotonic()
    with handling() as stop:
        send_soon()
        with pytest.raises(Canceled, match="stopped by SIGTERM"), stop.interruptible():
            look_and_go_on()
    assert time.monotonic() - began < 10


def test_no_look_begins_once_a_stop_was_asked_for() -> None:
    with handling() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Canceled, match="stopped by SIGTERM"), stop.interruptible():
            raise AssertionError("it began")


def test_undoing_goes_on_looking_until_a_second_signal() -> None:
    with handling() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with stop.interruptible(stop.forced):
            time.sleep(0.01)


def test_a_signal_while_the_command_works_is_raised_at_once() -> None:
    with installed() as signals:
        signals.start_raising()
        with pytest.raises(StoppedBySignal, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signals.raised


def test_a_signal_while_the_answer_is_printed_is_noted() -> None:
    with installed() as signals:
        signals.start_raising()
        signals.begin_answer()
        os.kill(os.getpid(), signal.SIGTERM)
        signals.stop_raising()
        assert (signals.received, signals.raised) == ("SIGTERM", False)


def test_an_answer_that_does_not_end_is_broken_off() -> None:
    with installed() as signals:
        signals.start_raising()
        signals.begin_answer()
        os.kill(os.getpid(), signal.SIGTERM)
        began = time.monotonic()
        with pytest.raises(StoppedBySignal, match="SIGTERM"):
            time.sleep(30)
        assert time.monotonic() - began < 10


def test_a_signal_between_two_parts_of_an_answer_is_raised_where_the_next_is_waited_for() -> None:
    with installed() as signals:
        signals.start_raising()
        signals.begin_answer()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StoppedBySignal, match="SIGTERM"):
            signals.expect_more()


def test_a_signal_that_waits_while_a_run_begins_is_the_runs_and_never_raised() -> None:
    with installed() as signals:
        signals.start_raising()
        signals.begin_answer()
        os.kill(os.getpid(), signal.SIGTERM)
        stop = Stop(signals)
        stop.defer()
        assert stop.requested()
        time.sleep(ANSWER_SECONDS + 0.5)
        assert (stop.forced(), signals.raised) == (False, False)
        with pytest.raises(Canceled, match="stopped by SIGTERM"):
            stop.check()
