"""Every operation that is recorded goes through `recorded`: lock, row, events, and how it ended."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli import liveness
from diaken_cli.actions import remains
from diaken_cli.actions.here import node, now
from diaken_cli.actions.settling import lock_path, reap, without_note
from diaken_cli.actions.showing import Showing
from diaken_cli.actions.stopping import Stop
from diaken_cli.errors import (
    Canceled,
    DatabaseError,
    DiakenError,
    Locked,
    PartlyFailed,
    message_of,
    unexpected,
)
from diaken_cli.events import (
    Emit,
    Event,
    HostFinished,
    RunFinished,
    RunStarted,
    RunWaiting,
    RunWithdrawn,
    SnapshotFinished,
    StepFinished,
    StepStarted,
    TaskFinished,
    Warned,
)
from diaken_cli.store import Store
from diaken_cli.store.claims import Attempt, Begun
from diaken_cli.store.runs import OutputRow, SnapshotRecord
from diaken_cli.words import HostCounters, HostResult, HostStatus, RunKind, RunStatus, StepStatus

if TYPE_CHECKING:
    from datetime import datetime

FLUSH_SECONDS = 2.0
FLUSH_CHARACTERS = 256 * 1024
WAIT_SECONDS = 1.0  # from one look at locked hosts to the next
WORST_FIRST = (
    HostStatus.FAILED,
    HostStatus.UNREACHABLE,
    HostStatus.ABORTED,
    HostStatus.SUCCESS,
    HostStatus.SKIPPED,
)


class Recording:
    """A run that goes on: what happens to it is stored first, then shown."""

    def __init__(
        self, store: Store, begun: Begun, attempt: Attempt, stop: Stop, show: Emit
    ) -> None:
        self.id = begun.id
        self.uid = begun.uid
        self.stop = stop
        self._store = store
        self._attempt = attempt
        self._show = show
        self._position = 0
        self._ending: tuple[RunStatus, dict[str, Any] | None] = (RunStatus.SUCCESS, None)
        self.succeeded = False
        self.withdrawn = False
        self._started: dict[str, datetime] = {}
        self._undoing: dict[str, datetime] = {}
        self._host_ids: dict[str, int] = {}
        self._results: dict[str, HostResult] = {}
        self._rows: list[OutputRow] = []
        self._seq = 0
        self._waiting_characters = 0
        self._flushed_at = time.monotonic()

    @property
    def lock_path(self) -> Path:
        """The lock file that every process of this run holds."""
        return lock_path(self._store, self._attempt.lock)

    def knows_host(self, name: str, host_id: int) -> None:
        """Tie the results of a host to its row in the inventory."""
        self._host_ids[name] = host_id

    def emit(self, event: Event) -> None:
        """Store what an event says, then show it."""
        match event:
            case TaskFinished():
                self._keep_output(event)
            case HostFinished(result=result):
                self._keep_result(result)
            case SnapshotFinished():
                self._keep_snapshot(event)
            case _:
                pass
        self._show(event)

    def warn(self, message: str, *, host: str | None = None) -> None:
        """Show a person something that stops nothing."""
        self.emit(Warned(message=message, host=host))

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    @property
    def last_step(self) -> str | None:
        """The step that was begun last in this process."""
        return next(reversed(self._started), None)

    def begin(self, position: int, name: str, detail: str) -> None:
        """Note that a step begins; committed before its first effect."""
        self.flush()
        self._position = position
        self._started[name] = now()
        self._store.recorder.begin_step(self.id, position, name, detail, self._started[name])
        self.emit(StepStarted(step=name, detail=detail))

    def begin_undoing(self, name: str) -> None:
        """Note that a step is being undone; committed before the first effect of that."""
        self._undoing[name] = now()
        self._store.recorder.begin_undoing(self.id, name)
        self.emit(StepStarted(step=name, detail="undoing it", undoing=True))

    def tell_undone(self, name: str, *, failed: bool = False) -> None:
        """Show that the undoing of a step is over, which is not how the step ended."""
        seconds = None
        if name in self._undoing:
            seconds = (now() - self._undoing[name]).total_seconds()
        status = StepStatus.FAILED if failed else StepStatus.UNDONE
        detail = "not undone" if failed else None
        self.emit(StepFinished(step=name, status=status, detail=detail, duration_seconds=seconds))

    def note(self, name: str, facts: dict[str, Any]) -> None:
        """Keep what undoing and resuming will need, as soon as it is known."""
        self._store.recorder.note_facts(self.id, name, facts)

    def end(
        self, name: str, status: StepStatus, detail: str | None = None, *, canceled: bool = False
    ) -> None:
        """Note how a step ended; `canceled`: someone stopped the run in it."""
        self.flush()
        at = now()
        self._store.recorder.end_step(self.id, name, status, detail, at)
        began = (self._undoing if status is StepStatus.UNDONE else self._started).get(name)
        seconds = None if began is None else (at - began).total_seconds()
        self.emit(
            StepFinished(
                step=name,
                status=status,
                detail=detail,
                duration_seconds=seconds,
                canceled=canceled,
            )
        )

    # ── results ──────────────────────────────────────────────────────────────────────────────

    def flush(self) -> None:
        """Store the output that has come in since the last time."""
        rows, self._rows, self._waiting_characters = self._rows, [], 0
        self._flushed_at = time.monotonic()
        if rows:
            self._store.recorder.append_output(self.id, self._position, rows)

    def flush_in_time(self) -> None:
        """Store it where the last time is a while ago; also asked for while nothing comes in."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def _keep_output(self, event: TaskFinished) -> None:
        self._seq += 1
        self._rows.append(
            OutputRow(
                seq=self._seq,
                host=event.host,
                name=(event.playbook, event.play, event.task, event.action),
                item=event.item,
                result=event.result,
                at=event.at,
                seconds=event.duration_seconds,
                message=event.message,
                text=event.text,
            )
        )
        self._waiting_characters += len(event.text)
        if self._waiting_characters >= FLUSH_CHARACTERS:
            self.flush()
        self.flush_in_time()

    def _keep_result(self, result: HostResult) -> None:
        known = self._results.get(result.host)
        self._results[result.host] = result if known is None else _together(known, result)

    def _keep_snapshot(self, event: SnapshotFinished) -> None:
        self._store.recorder.add_snapshot(
            self.id,
            SnapshotRecord(event.host, event.name, event.status, event.id, event.error),
            action=event.action,
            vcenter=event.vcenter,
            vm_uuid=event.vm_uuid,
            now=event.at,
        )

    def has_result(self, host: str) -> bool:
        """Whether it is known what the run did on a host."""
        return host in self._results

    @property
    def ending(self) -> RunStatus:
        """How the run ends where nothing is raised."""
        return self._ending[0]

    def ends_as(self, status: RunStatus, error: dict[str, Any] | None) -> None:
        """How the run ends where nothing else is raised: an abort that did its work, say."""
        self._ending = (status, error)

    def activate(self, host_id: int, step: str) -> None:
        """Put the host of a deploy into use, and with the same stroke make the run a success.

        Raises Canceled where a stop was asked for before.
        """
        self._keep_results()
        self._store.claims.activate(
            self.id, self._attempt.lock, host_id, step, now(), last_look=self.stop.check
        )
        self.succeeded = True

    def withdraw(self) -> None:
        """Forget the run: it has changed nothing, and is not to be done as it was asked for."""
        self._rows = []
        self.withdrawn = self._store.claims.withdraw(self.id, self._attempt.lock)
        if self.withdrawn:
            self.emit(RunWithdrawn(run=self.id))

    def close(self, status: RunStatus | None = None, error: DiakenError | None = None) -> None:
        """Complete the record; a run that has been made a success stays one."""
        if self.withdrawn:
            return
        ending, said = self._ending
        if self.succeeded:  # with all its results: what was recorded then stands
            ending = RunStatus.SUCCESS
        else:
            if status is not None:
                ending, said = status, None if error is None else error.as_json()
            self._keep_results()
            self._store.claims.finish(self.id, self._attempt.lock, ending, said, now())
        self.emit(RunFinished(run=self.id, status=ending))

    def _keep_results(self) -> None:
        self.flush()
        if self._results:
            results = [(each, self._host_ids.get(name)) for name, each in self._results.items()]
            self._store.recorder.finish_hosts(self.id, results)


@contextmanager
def recorded(
    store: Store,
    begin: Callable[[Attempt], Begun],
    *,
    started: Callable[[int], RunStarted],
    show: Emit,
    wait: float | None = None,
) -> Iterator[Recording]:
    """A run, from its lock file to how it ended: success, failure, or a signal.

    The lock file is held before the row names it, so that a row without a holder is a dead run.
    For `wait` seconds it is tried again to begin while another run holds a host; None is for
    commands that can't be told to wait.
    """
    attempt = Attempt(lock=str(uuid.uuid4()), node=node(), pid=os.getpid())
    lock = lock_path(store, attempt.lock)
    with without_note(lock), liveness.hold(lock), store.database.kept_open():
        stop, showing = Stop(lock).heed(), Showing(show)
        begun = _begun(store, lambda: begin(attempt), stop, showing, wait)
        recording = Recording(store, begun, attempt, stop, showing)
        first = started(begun.id)
        recording.emit(first)
        try:
            yield recording
        except DiakenError as error:
            left = first.kind is RunKind.DEPLOY and stop.insisted()
            try:
                recording.close(_status(error, left_as_it_is=left), error)
            except DatabaseError as unwritten:  # the next command finds it as interrupted
                recording.warn(f"how it ended could not be recorded: {unwritten.message}")
            raise
        except Exception as fault:
            recording.close(RunStatus.FAILED, unexpected(fault))
            raise
        except BaseException as fault:
            recording.close(RunStatus.INTERRUPTED, Canceled(message_of(fault)))
            raise
        recording.close()


def _begun(
    store: Store, begin: Callable[[], Begun], stop: Stop, show: Emit, wait: float | None
) -> Begun:
    """Begin, as soon as no other run holds one of the hosts; each holder is told of once."""
    deadline = time.monotonic() + (wait or 0)
    told: set[int] = set()

    def warn(message: str) -> None:
        show(Warned(message=message))

    while True:
        stop.check()
        try:
            return begin()
        except Locked as held:
            given = (store, held.run, warn, stop.requested)
            if remains.end(*given, announce=True, here=bool(wait)):
                continue
            if time.monotonic() >= deadline:
                raise Locked(held.message, run=held.run, waited=wait) from None
            if held.run not in told:
                left = deadline - time.monotonic()
                show(RunWaiting(held_by=held.run, message=held.message, seconds=round(left)))
                told.add(held.run)
        time.sleep(min(WAIT_SECONDS, max(0.0, deadline - time.monotonic())))
        reap(store)


def _status(error: DiakenError, *, left_as_it_is: bool) -> RunStatus:
    """What an error makes of a run; only a deploy has something that is left, or undone."""
    match error:
        case Canceled() if left_as_it_is:
            return RunStatus.INTERRUPTED
        case Canceled():
            return RunStatus.CANCELED
        case PartlyFailed():
            return RunStatus.PARTIAL
        case _:
            return RunStatus.FAILED


def _together(first: HostResult, second: HostResult) -> HostResult:
    """What two playbooks of one run did on a host."""
    one, two = first.counters, second.counters
    worst = min(first, second, key=lambda each: WORST_FIRST.index(each.status))
    return replace(
        worst,
        counters=HostCounters(
            ok=one.ok + two.ok,
            changed=one.changed + two.changed,
            failed=one.failed + two.failed,
            unreachable=one.unreachable + two.unreachable,
            skipped=one.skipped + two.skipped,
            ignored=one.ignored + two.ignored,
        ),
    )
