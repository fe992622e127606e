"""A run while it goes on: its steps are noted, its events stored and shown, its end written."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from diaken_cli.context import Context
from diaken_cli.events import (
    Emit,
    Event,
    HostFinished,
    RunFinished,
    RunWithdrawn,
    SnapshotFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
    TaskFinished,
    Warned,
)
from diaken_cli.outcome import Effect, RunEnd, StepEnd, end_of_run, fold
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import Attempt, HeldRun
from diaken_cli.store.steps import NumberedResult
from diaken_cli.types import HostResult, RunStatus, StepStatus

FLUSH_SECONDS = 2.0
FLUSH_CHARACTERS = 256 * 1024


@dataclass
class _Step:
    """A step that this process has begun, or is undoing."""

    name: str
    batch: int | None
    started_at: datetime | None = None
    undoing_since: datetime | None = None
    end: StepEnd | None = None


class ActiveRun:
    """A run that this process holds: each event is stored first, then shown."""

    def __init__(
        self,
        context: Context,
        begun: HeldRun[Any],
        attempt: Attempt,
        show: Emit,
    ) -> None:
        self.id = begun.id
        self.uid = begun.uid
        self.hosts = begun.hosts
        self.resumed = begun.resumed
        self.stop = context.stop
        self._store = context.store
        self._clock = context.clock
        self._attempt = attempt
        self._show = show
        self._recorder = EventRecorder(context.store, begun.id)
        self._earlier_error = begun.error
        self._undone = False
        self._one_at_a_time = threading.RLock()
        self._steps: dict[int, _Step] = {}
        self._current = 0

    @property
    def lock_path(self) -> Path:
        """The lock file that every process of this run holds."""
        return lock_path(self._store, self._attempt.lock)

    def emit(self, event: Event) -> None:
        """Store an event, then show it; of several threads one at a time."""
        with self._one_at_a_time:
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
        self._steps[position] = _Step(name, batch, started_at=at)
        self._store.steps.begin(self.id, position, name, detail, at, batch=batch)
        self.emit(StepStarted(step=name, position=position, batch=batch, detail=detail))

    def progress(self, percent: int | None) -> None:
        """Tell how far the step that was begun last has got."""
        step, position = self._steps[self._current], self._current
        self.emit(
            StepProgressed(step=step.name, position=position, batch=step.batch, percent=percent)
        )

    def note(self, position: int, facts: dict[str, Any]) -> None:
        """Keep what undoing and resuming will need, as soon as it is known."""
        self._store.steps.note_facts(self.id, position, facts)

    def note_current(self, facts: dict[str, Any]) -> None:
        """Note facts of the step that was begun last."""
        self.note(self._current, facts)

    def end_step(self, position: int, end: StepEnd, *, canceled: bool = False) -> None:
        """Note how a step ended; `canceled`: someone stopped the run in it."""
        step = self._steps[position]
        if not self.succeeded:
            step.end = end
        self._write_end(position, end.status, end.detail)
        self._emit_end(position, end, step.started_at, canceled=canceled)

    def _write_end(self, position: int, status: StepStatus, detail: str | None = None) -> None:
        self.flush()
        results = self._recorder.of_step(position)
        now = self._clock()
        self._store.steps.end(self.id, position, status, detail, now, results)

    def begin_undoing(self, position: int, name: str, batch: int | None = None) -> None:
        """Note that a step is being undone; on the disk before the first effect of that."""
        step = self._steps.setdefault(position, _Step(name, batch))
        step.undoing_since = self._clock()
        self._store.steps.begin_undoing(self.id, position)
        self.emit(
            StepStarted(step=name, position=position, batch=batch, detail="undoing", undoing=True)
        )

    def end_undoing(self, position: int, status: StepStatus) -> None:
        """Note that a step is undone; `status` is how it had ended.

        One that failed goes on saying where the run failed: its facts have that it is undone.
        """
        if status is StepStatus.FAILED:
            self.note(position, {"undone": True})
        else:
            self._write_end(position, StepStatus.UNDONE)
        undone = StepEnd(StepStatus.UNDONE)
        self._emit_end(position, undone, self._steps[position].undoing_since)

    def fail_undoing(self, position: int, name: str, batch: int | None = None) -> None:
        """Tell that a step was not undone, begun or not; that is not how the step ended."""
        step = self._steps.setdefault(position, _Step(name, batch))
        failed = StepEnd(StepStatus.FAILED, "not undone")
        self._emit_end(position, failed, step.undoing_since)

    def _emit_end(
        self, position: int, end: StepEnd, since: datetime | None, *, canceled: bool = False
    ) -> None:
        step = self._steps[position]
        seconds = None if since is None else (self._clock() - since).total_seconds()
        self.emit(
            StepFinished(
                step=step.name,
                position=position,
                batch=step.batch,
                status=end.status,
                detail=end.detail,
                duration_seconds=seconds,
                canceled=canceled,
            )
        )

    # ── hosts ────────────────────────────────────────────────────────────────────────────────

    def remember(self, results: Iterable[tuple[int, HostResult]]) -> None:
        """Results of an earlier attempt, by the position of their step."""
        self._recorder.remember(results)

    def add_host(self, host: HostRecord) -> None:
        """Note a host that the run itself has made, and holds."""
        self.hosts = (*self.hosts, host)

    def free_host(self, host: HostRecord) -> None:
        """Free a host, on which nothing more is done, before the run ends."""
        self._store.runs.free_host(self.id, host.id)

    def results(self) -> list[HostResult]:
        """What it has done on its hosts so far."""
        return self._recorder.of_run()

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def end(
        self, stopped_by: BaseException | None = None, *, left_as_it_is: bool = False
    ) -> RunEnd:
        """How the run ends, if it does so now: by its steps, its hosts, and what was raised."""
        return end_of_run(
            [step.end for step in self._steps.values() if step.end is not None],
            self.results(),
            stopped_by,
            undone=self._undone,
            undone_after=self._earlier_error,
            left_as_it_is=left_as_it_is,
        )

    @property
    def succeeded(self) -> bool:
        """Whether a step has made the run a success, which nothing changes any more."""
        ends = (step.end for step in self._steps.values())
        return any(end is not None and end.effect is Effect.COMPLETES for end in ends)

    def start_undo(self) -> None:
        """Note that what the run did is being undone; that is its end where nothing is raised."""
        self._undone = True

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
            results=self._numbered_results(),
            last_look=self.stop.check,
        )
        self._steps[position].end = StepEnd(effect=Effect.COMPLETES)

    def close(
        self, stopped_by: BaseException | None = None, *, left_as_it_is: bool = False
    ) -> None:
        """Complete the record by how the run ends."""
        end = self.end(stopped_by, left_as_it_is=left_as_it_is)
        lock = self._attempt.lock
        if end.status is None:
            self._recorder.forget()
            if self._store.runs.withdraw(self.id, lock):
                self.emit(RunWithdrawn(run=self.id))
            return
        if not self.succeeded:  # that was recorded with all its results, and stands
            self.flush()
            if end.status is RunStatus.PAUSED:
                self._store.runs.pause(self.id, lock, end.until, self._numbered_results())
            else:
                self._store.runs.finish(
                    self.id, lock, end.status, end.error, self._clock(), self._numbered_results()
                )
        self.emit(RunFinished(run=self.id, status=end.status))

    def _numbered_results(self) -> list[NumberedResult]:
        host_ids = {host.name: host.id for host in self.hosts}
        return [(result, host_ids.get(result.host)) for result in self.results()]


class EventRecorder:
    """Takes the events of one run: output is stored in chunks, results of hosts with their step."""

    def __init__(self, store: Store, run_id: int) -> None:
        self._store = store
        self._run_id = run_id
        self._position = 0
        self._results: dict[int, list[HostResult]] = {}
        self._output: list[TaskFinished] = []
        self._next_seq = 1
        self._waiting_characters = 0
        self._flushed_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Store what an event says."""
        match event:
            case TaskFinished():
                self._keep_output(event)
            case HostFinished(result=result):
                self._results.setdefault(self._position, []).append(result)
            case SnapshotFinished():
                self._store.steps.add_snapshot(self._run_id, event)
            case _:
                pass

    def remember(self, results: Iterable[tuple[int, HostResult]]) -> None:
        """Results of an earlier attempt, by the position of their step."""
        for position, result in results:
            self._results.setdefault(position, []).append(result)

    def enter(self, position: int) -> None:
        """What comes now is of the step at this position, which begins, maybe again."""
        self.flush()
        self._position = position
        self._results.pop(position, None)

    def flush(self) -> None:
        """Store the output that has come in since the last time."""
        tasks, self._output, self._waiting_characters = self._output, [], 0
        self._flushed_at = time.monotonic()
        if tasks:
            first_seq, self._next_seq = self._next_seq, self._next_seq + len(tasks)
            self._store.outputs.append(self._run_id, self._position, first_seq, tasks)

    def flush_in_time(self) -> None:
        """Store it where the last time is a while ago; also called while nothing comes in."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def forget(self) -> None:
        """Drop what is not stored yet."""
        self._output = []

    def of_step(self, position: int) -> list[HostResult]:
        """What one step did on its hosts."""
        return fold(self._results.get(position, ()))

    def of_run(self) -> list[HostResult]:
        """What the run did on its hosts: all of its steps together."""
        return fold(result for results in self._results.values() for result in results)

    def _keep_output(self, event: TaskFinished) -> None:
        self._output.append(event)
        self._waiting_characters += len(event.text)
        if self._waiting_characters >= FLUSH_CHARACTERS:
            self.flush()
        self.flush_in_time()
