"""A terminal that the command runs on: what was written to it, and what is to be seen."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.cli import DIAKEN, PATIENCE
from tests.e2e.runs.fleet import Fleet
from tests.screen import CONTROL, Screen


class Terminal:
    """A call on a terminal; `said` is all that was written to it so far."""

    def __init__(self, process: "subprocess.Popen[str]", ours: int, columns: int) -> None:
        self.said = ""
        self._process = process
        self._ours = ours
        self._columns = columns
        self._bytes = b""

    def until(self, holds: Callable[[str], bool], what: str) -> None:
        """Read until that holds of what was written."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.said):
            assert self._read(), f"{what}: never; {self.screen.lines}"
            assert time.monotonic() < deadline, f"{what}: not yet; {self.screen.lines}"

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._ours, key)

    def ended(self) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"it goes on: {self.screen.lines}"
        return self._process.wait(PATIENCE)

    @property
    def screen(self) -> Screen:
        """What is to be seen; everything since the beginning is one long screen."""
        screen = Screen(self._columns)
        whole, _, begun = self.said.rpartition("\x1b")
        screen.write(self.said if CONTROL.match(f"\x1b{begun}") or not whole else whole)
        return screen

    @property
    def mode(self) -> list[Any]:
        """The settings of the terminal, as tcgetattr(3) tells them."""
        return termios.tcgetattr(self._ours)

    def _read(self) -> bool:
        """Read what there is; whether the other end is still open."""
        if select.select([self._ours], [], [], 0.1)[0]:
            try:
                self._bytes += os.read(self._ours, 65536)
            except OSError:  # the last one at the other end is gone
                return False
            self.said = self._bytes.decode(errors="ignore")
        return True


@contextmanager
def terminal(
    fleet: Fleet, *words: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
) -> Iterator[Terminal]:
    """Run the command on a terminal of its own, which Ctrl-C can be pressed on."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        ["setsid", "--ctty", *fleet.lab.inside_argv([*DIAKEN, *words])],
        cwd=fleet.folder,
        env=fleet.environment | {"TERM": "xterm"} | (env or {}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours, columns)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
