"""A run while it goes on: its steps are noted, its events handed out, its end written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from diaken_cli.context import Context
from diaken_cli.errors import DiakenError
from diaken_cli.events import (
    Emit,
    Event,
    HostFinished,
    RunFinished,
    RunWithdrawn,
    StepFinished,
    StepStarted,
    Warned,
)
from diaken_cli.runs.recorder import Recorder
from diaken_cli.runs.settle import lock_path
from diaken_cli.store.recorder import HostOutcome
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import Attempt, Begun
from diaken_cli.types import HostResult, HostStatus, RunStatus, StepStatus


@dataclass
class _Step:
    """A step that this process has begun, or is undoing."""

    name: str
    started_at: datetime | None = None
    undoing_since: datetime | None = None


class ActiveRun:
    """A run that this process holds: each event is stored first, then shown."""

    def __init__(
        self,
        context: Context,
        begun: Begun,
        attempt: Attempt,
        show: Emit,
    ) -> None:
        self.id = begun.id
        self.uid = begun.uid
        self.hosts = begun.hosts
        self.stop = context.stop
        self.succeeded = False
        self.withdrawn = False
        self._store = context.store
        self._clock = context.clock
        self._attempt = attempt
        self._show = show
        self._recorder = Recorder(context.store, begun.id)
        self._ending: tuple[RunStatus, dict[str, Any] | None] = (RunStatus.SUCCESS, None)
        self._paused_until: datetime | None = None
        self._steps: dict[int, _Step] = {}
        self._current = 0
        self._host_ids = {host.name: host.id for host in begun.hosts}

    @property
    def lock_path(self) -> Path:
        """The lock file that every process of this run holds."""
        return lock_path(self._store, self._attempt.lock)

    def emit(self, event: Event) -> None:
        """Store an event, then show it."""
        self._recorder(event)
        self._show(event)

    def warn(self, message: str, *, host: str | None = None) -> None:
        """Emit a warning."""
        self.emit(Warned(message=message, host=host))

    def flush(self) -> None:
        """Store the output that has come in since the last time."""
        self._recorder.flush()

    def flush_in_time(self) -> None:
        """Store it where the last time is a while ago; also called while nothing comes in."""
        self._recorder.flush_in_time()

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    @property
    def last_step(self) -> str | None:
        """The name of the step that was begun last in this process."""
        step = self._steps.get(self._current)
        return None if step is None else step.name

    def begin_step(self, position: int, name: str, detail: str, batch: int | None = None) -> None:
        """Note that a step begins; on the disk before its first effect."""
        self._recorder.enter(position)
        at = self._clock()
        self._current = position
        self._steps[position] = _Step(name, started_at=at)
        self._store.recorder.begin_step(self.id, position, name, detail, at, batch=batch)
        self.emit(StepStarted(step=name, detail=detail))

    def note(self, position: int, facts: dict[str, Any]) -> None:
        """Keep what undoing and resuming will need, as soon as it is known."""
        self._store.recorder.note_facts(self.id, position, facts)

    def note_current(self, facts: dict[str, Any]) -> None:
        """Note facts of the step that was begun last."""
        self.note(self._current, facts)

    def end_step(
        self,
        position: int,
        status: StepStatus,
        detail: str | None = None,
        *,
        canceled: bool = False,
    ) -> None:
        """Note how a step ended; `canceled`: someone stopped the run in it."""
        self.flush()
        at = self._clock()
        results = self._recorder.of_step(position)
        self._store.recorder.end_step(self.id, position, status, detail, at, results)
        step = self._steps[position]
        since = step.undoing_since if status is StepStatus.UNDONE else step.started_at
        self._emit_end(step.name, status, detail, since, at, canceled=canceled)

    def begin_undoing(self, position: int, name: str) -> None:
        """Note that a step is being undone; on the disk before the first effect of that."""
        step = self._steps.setdefault(position, _Step(name))
        step.undoing_since = self._clock()
        self._store.recorder.begin_undoing(self.id, position)
        self.emit(StepStarted(step=name, detail="undoing it", undoing=True))

    def emit_undone(self, position: int, name: str, *, failed: bool = False) -> None:
        """Tell that the undoing of a step is over, which is not how the step ended."""
        status = StepStatus.FAILED if failed else StepStatus.UNDONE
        detail = "not undone" if failed else None
        since = self._steps[position].undoing_since if position in self._steps else None
        self._emit_end(name, status, detail, since, self._clock())

    def _emit_end(
        self,
        name: str,
        status: StepStatus,
        detail: str | None,
        since: datetime | None,
        at: datetime,
        *,
        canceled: bool = False,
    ) -> None:
        seconds = None if since is None else (at - since).total_seconds()
        self.emit(
            StepFinished(
                step=name,
                status=status,
                detail=detail,
                duration_seconds=seconds,
                canceled=canceled,
            )
        )

    # ── hosts ────────────────────────────────────────────────────────────────────────────────

    def remember(self, results: Iterable[tuple[int, HostResult]]) -> None:
        """Results of an earlier attempt, by the position of their step."""
        self._recorder.remember(results)

    def set_host_id(self, host: HostRecord) -> None:
        """Set the inventory id of a host that the run itself has made, for its results."""
        self._host_ids[host.name] = host.id

    def skip_others(self, hosts: Iterable[HostRecord], *, canceled: bool) -> None:
        """The hosts on which it has done nothing are `skipped`, whatever ended it."""
        done = {result.host for result in self._recorder.of_run()}
        for host in hosts:
            if host.name not in done:
                skipped = HostResult(host.name, host.ip, HostStatus.SKIPPED)
                self.emit(HostFinished(result=skipped, canceled=canceled))

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    @property
    def ending(self) -> RunStatus:
        """How the run ends where nothing is raised."""
        return self._ending[0]

    def set_ending(self, status: RunStatus, error: dict[str, Any] | None) -> None:
        """How the run ends where nothing else is raised: an abort that did its work, say."""
        self._ending = (status, error)

    def pause(self, until: datetime | None = None) -> None:
        """Pause the run until a person resumes it, or until a moment; it keeps its locks.

        What is raised afterwards goes before it.
        """
        self._ending, self._paused_until = (RunStatus.PAUSED, None), until

    def activate(self, host_id: int, position: int) -> None:
        """Put the host of a deploy into use, and with the same stroke make the run a success.

        Raises Canceled where a stop was requested before.
        """
        self.flush()
        self._store.deploys.activate(
            self.id,
            self._attempt.lock,
            host_id,
            position,
            self._clock(),
            outcomes=self._outcomes(),
            last_look=self.stop.check,
        )
        self.succeeded = True

    def withdraw(self) -> None:
        """Forget the run: it has changed nothing, and can't be done as it was asked for."""
        self._recorder.forget()
        self.withdrawn = self._store.runs.withdraw(self.id, self._attempt.lock)
        if self.withdrawn:
            self.emit(RunWithdrawn(run=self.id))

    def close(self, status: RunStatus | None = None, error: DiakenError | None = None) -> None:
        """Complete the record; a run that has been made a success stays one."""
        if self.withdrawn:
            return
        ending, as_json = self._ending
        if status is None and ending is RunStatus.PAUSED:
            self.flush()
            self._store.runs.pause(
                self.id, self._attempt.lock, self._paused_until, self._outcomes()
            )
        elif self.succeeded:  # with all its results: what was recorded then stands
            ending = RunStatus.SUCCESS
        else:
            if status is not None:
                ending, as_json = status, None if error is None else error.as_json()
            self.flush()
            self._store.runs.finish(
                self.id, self._attempt.lock, ending, as_json, self._clock(), self._outcomes()
            )
        self.emit(RunFinished(run=self.id, status=ending))

    def _outcomes(self) -> list[HostOutcome]:
        results = self._recorder.of_run()
        return [HostOutcome(result, self._host_ids.get(result.host)) for result in results]
