"""The pipe in which a run's Ansible tells what happens: only its callback plugins write there.

What Ansible prints is parsed by nobody: text of a host, which may hold anything, could be taken for
an event there. It goes to a file, and counts only where Ansible ended before its first event.
"""

import fcntl
import json
import os
import select
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from diaken_cli import bounds

_CAPACITY = 1024 * 1024  # bytes: the most that an account may have without a privilege, pipe(7)
_CHUNK = 256 * 1024
_REST = 0.05  # seconds in which the rest of an event comes, whose beginning is there
_BELL = 7  # the descriptor on which the plugin rings, callbacks/diaken.py

REDIRECTED = f'</dev/null {_BELL}>&1 >"$DIAKEN_SAID" 2>&1'
"""For the shell that starts Ansible: its terminal is for the bell alone."""


class Malformed(ValueError):
    """A line that is no event."""


class Channel:
    """Made in the run's private folder, before Ansible is started; `close` it at the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events"
        self._said = folder / "said"
        os.mkfifo(self._path, 0o600)
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # it works with less, too
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self._lines: deque[bytes] = deque()
        self._rest = bytearray()  # the beginning of a line
        self._too_long = False  # that line was too long already, and is no event
        self._heard = 0  # bytes of what Ansible has printed

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the plugins and the shell find it."""
        return {"DIAKEN_EVENTS": str(self._path), "DIAKEN_SAID": str(self._said)}

    def events(self) -> Iterator[Mapping[str, Any]]:
        """The events that have come, each once; waits only for the rest of one that has begun.

        Raises Malformed for a line that is none; those behind it come with the next call.
        """
        while True:
            while self._lines:
                yield _parsed(self._lines.popleft())
            if not self._receive():
                return

    def printed(self) -> list[str]:
        """The lines that Ansible has printed beside its events since the last call."""
        try:
            with self._said.open("rb") as file:
                file.seek(self._heard)
                text = file.read(bounds.LAST_WORDS)
        except FileNotFoundError:  # it was not started
            return []
        self._heard += len(text)
        return text.decode(errors="replace").splitlines()

    def close(self) -> None:
        """Close it: an Ansible that is still there can tell nothing more, and ends."""
        os.close(self._descriptor)

    def _receive(self) -> bool:
        """Take what is in the pipe; False where nothing is."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            if not self._rest:
                return False
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            return bool(poll.poll(_REST * 1000))
        first, *more = data.split(b"\n")
        self._rest += first
        for line in more:
            self._lines.append(b"" if self._too_long else bytes(self._rest))
            self._rest, self._too_long = bytearray(line), False
        if len(self._rest) > bounds.EVENT:
            self._rest, self._too_long = bytearray(), True
        return bool(data)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise Malformed(f"not JSON: {fault}") from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise Malformed("no event")
    return event
