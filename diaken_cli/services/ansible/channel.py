"""The pipe in which a run's Ansible tells what happens, and what is made of it as it comes.

Only its callback plugins write there. It is counted for the results, and told on as our events.
"""

import fcntl
import json
import os
import select
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from diaken_cli import bounds
from diaken_cli.events import Emit, Event, TaskFinished, Warned
from diaken_cli.services.ansible.endings import Plays
from diaken_cli.services.ansible.results import Tally
from diaken_cli.services.ansible.translate import Translator

_CAPACITY = 1024 * 1024  # bytes: the most that an account may have without a privilege, pipe(7)
_CHUNK = 256 * 1024
_REST = 0.05  # seconds in which the rest of an event comes, whose beginning is there
_BELL = 7  # the descriptor on which the plugin rings, callbacks/diaken.py

REDIRECTED = f'</dev/null {_BELL}>&1 >"$DIAKEN_SAID" 2>&1'
"""For the shell that starts Ansible: its terminal is for the bell alone."""


class MalformedEvent(ValueError):
    """A line that is no event."""


class Channel:
    """Made in the run's private folder, before Ansible is started; `close` it at the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events"
        self._output = folder / "said"
        os.mkfifo(self._path, 0o600)
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # it works with less, too
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self._lines: deque[bytes] = deque()
        self._rest = bytearray()  # the beginning of a line
        self._too_long = False  # that line was too long already, and is no event
        self._bytes_read = 0  # bytes of what Ansible has printed

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the plugins and the shell find it."""
        return {"DIAKEN_EVENTS": str(self._path), "DIAKEN_SAID": str(self._output)}

    def events(self) -> Iterator[Mapping[str, Any]]:
        """The events that have come, each once; waits only for the rest of one that has begun.

        Raises MalformedEvent for a line that is none; those behind it come with the next call.
        """
        while True:
            while self._lines:
                yield _parsed(self._lines.popleft())
            if not self._receive():
                return

    def printed(self) -> list[str]:
        """The lines that Ansible has printed beside its events since the last call."""
        try:
            with self._output.open("rb") as file:
                file.seek(self._bytes_read)
                text = file.read(bounds.LAST_WORDS)
        except FileNotFoundError:  # it was not started
            return []
        self._bytes_read += len(text)
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
        raise MalformedEvent(f"not JSON: {fault}") from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise MalformedEvent("no event")
    return event


_BEGINS = ("playbook_on_task_start", "runner_on_start")
_STATS = "playbook_on_stats"


class EmitFailed(RuntimeError):
    """An OSError of `emit`: as such pexpect could swallow it."""


class EventReader:
    """Reads events until the run ends, and emits them; `may_go_on` is called after each.

    `tally` and `plays` have what came of it so far. `secrets` are files that Ansible has read once
    it starts: they are removed then. `stopped` says whether the run was told to stop, after which
    no counters count, for Ansible gets to no end.
    """

    def __init__(
        self,
        translator: Translator,
        emit: Emit,
        *,
        stopped: Callable[[], bool],
        may_go_on: Callable[[], bool],
    ) -> None:
        self.tally = Tally()
        self.plays = Plays()
        self.secrets: list[Path] = []
        self.any_task = False
        self._translator = translator
        self._emit = emit
        self._stopped = stopped
        self._may_go_on = may_go_on

    @property
    def last_output(self) -> str:
        """What Ansible printed last, beside its tasks: why it could not go on."""
        return self._translator.last_output

    def read(self, channel: Channel) -> bool:
        """Read what has come until now; False where `may_go_on` forbade to read the rest of it."""
        for line in channel.printed():
            self._emit_all(self._translator.translate_printed(line))
        all_read = False
        while not all_read and self._may_go_on():
            try:
                for raw in channel.events():
                    self._take(raw)
                    if not self._may_go_on():
                        return False
                all_read = True
            except MalformedEvent as fault:
                message = f"unreadable event from Ansible: {fault}"
                self._emit_all([Warned(message=message)])
        return all_read

    def _take(self, raw: Mapping[str, Any]) -> None:
        try:
            events = list(self._translate(raw))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            message = f"unreadable event from Ansible: {raw['event']}: {fault!r}"
            events = [Warned(message=message, host=str(raw["host"]) if "host" in raw else None)]
        self._emit_all(events)

    def _translate(self, raw: Mapping[str, Any]) -> Iterator[Event]:
        kind = raw["event"]
        if kind == "plays":
            self.plays.add(raw)
            return
        if kind != _STATS or not self._stopped():
            self.tally.note_playbook(raw)
        if self.tally.started:
            self._remove_secrets()
        if kind in _BEGINS:
            self.any_task = True
        if kind == "runner_on_start":
            task = self._translator.task_name(raw)
            self.tally.begin(raw["host"], task, action=raw["action"])
        for event in self._translator.translate(raw):
            if isinstance(event, TaskFinished):
                self.tally.note(event, raw["task_uuid"])
            yield event

    def _emit_all(self, events: Iterable[Event]) -> None:
        for event in events:
            try:
                self._emit(event)
            except OSError as fault:
                raise EmitFailed from fault

    def _remove_secrets(self) -> None:
        """Remove the files with secrets: a kill from now on leaves none behind."""
        while self.secrets:
            self.secrets.pop().unlink()
