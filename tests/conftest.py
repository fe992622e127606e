"""Fixtures for all tests."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from diaken_cli.store import Store
from tests.lab_fixture import lab

__all__ = ["lab"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty database."""
    return Store(tmp_path / "diaken.db")


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder that a reboot leaves, where /tmp is in memory, too: so /var/tmp is, by the FHS."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def _start_commands_as_a_shell_does() -> None:
    """What a test starts gets the signals that nohup, or a script's `&`, has ignored for the tests.

    A handler that does nothing ignores a signal, too, and is not passed on to a program that is
    started. These programs are in a session of their own then: what hangs up does not reach them.
    """
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    if ignored and os.getpid() != os.getpgrp():
        os.setsid()


_start_commands_as_a_shell_does()

# On a busy machine an example takes as long as it takes, to make and to try.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
