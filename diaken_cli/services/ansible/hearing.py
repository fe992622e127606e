"""What a run's Ansible tells, as it comes: counted for the results, and told on as our events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from diaken_cli.events import Emit, Event, TaskFinished, Warned
from diaken_cli.services.ansible.channel import Channel, Malformed
from diaken_cli.services.ansible.plays import Plays
from diaken_cli.services.ansible.results import Tally
from diaken_cli.services.ansible.translate import Translator

if TYPE_CHECKING:
    from pathlib import Path

_BEGINS = ("playbook_on_task_start", "runner_on_start")
_STATS = "playbook_on_stats"


class EmitFailed(RuntimeError):
    """An OSError of `emit`: as such pexpect could swallow it."""


class Hearing:
    """Takes events until the run ends; `may_go_on` is asked with each.

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
    def said(self) -> str:
        """Ansible's last words, where it could not go on."""
        return self._translator.said

    def hear(self, channel: Channel) -> bool:
        """Take what has come until now; False where some of it is left, for it may not go on."""
        for line in channel.printed():
            self._tell(self._translator.take_printed(line))
        whole = False
        while not whole and self._may_go_on():
            try:
                for raw in channel.events():
                    self._take(raw)
                    if not self._may_go_on():
                        return False
                whole = True
            except Malformed as fault:
                self._tell([Warned(message=f"Ansible told something that can't be read: {fault}")])
        return whole

    def _take(self, raw: Mapping[str, Any]) -> None:
        try:
            events = list(self._translate(raw))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            told = f"what Ansible told of it can't be read: {raw['event']}: {fault!r}"
            events = [Warned(message=told, host=str(raw["host"]) if "host" in raw else None)]
        self._tell(events)

    def _translate(self, raw: Mapping[str, Any]) -> Iterator[Event]:
        kind = raw["event"]
        if kind == "plays":
            self.plays.take(raw)
            return
        if kind != _STATS or not self._stopped():
            self.tally.note_playbook(raw)
        if self.tally.started:
            self._forget_secrets()
        if kind in _BEGINS:
            self.any_task = True
        if kind == "runner_on_start":
            self.tally.begin(raw["host"], self._translator.task_name(raw))
        for event in self._translator.translate(raw):
            if isinstance(event, TaskFinished):
                self.tally.note(event, raw["task_uuid"])
            yield event

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            try:
                self._emit(event)
            except OSError as fault:
                raise EmitFailed from fault

    def _forget_secrets(self) -> None:
        """Should we be killed now, no file with a secret stays behind."""
        while self.secrets:
            self.secrets.pop().unlink()
