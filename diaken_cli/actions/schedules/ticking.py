"""`scheduler tick`: settle what died, give up what is too late, start what is due, each once."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import now, reap
from diaken_cli.actions.schedules.executing import TakenByAnother, execute
from diaken_cli.actions.schedules.moments import following
from diaken_cli.actions.stopping import Stop
from diaken_cli.errors import Conflict
from diaken_cli.events import Event
from diaken_cli.store import Store
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import misfired
from diaken_cli.words import RunStatus, ScheduleStatus

PACE = 0.2  # seconds from one look at the children to the next
AGAIN = 2.0  # seconds until what was blocked is tried again
BAD = (ScheduleStatus.FAILED, ScheduleStatus.MISSED)


@dataclass(frozen=True)
class Happened:
    """What a tick did with one moment of a task; `run` is None where none was begun."""

    task: str
    run: int | None
    outcome: ScheduleStatus
    error: str | None


@dataclass
class Ticked:
    """What a tick did: each moment, in the order in which they ended."""

    moments: list[Happened] = field(default_factory=list)

    @property
    def runs(self) -> list[int]:
        """The runs that this tick carried out."""
        return [each.run for each in self.moments if each.run is not None]

    @property
    def bad(self) -> list[Happened]:
        """What failed or was missed."""
        return [each for each in self.moments if each.outcome in BAD]


@dataclass(frozen=True)
class _Child:
    """A process that carries out one moment; what it has to say comes through `answer`."""

    task: TaskRecord
    pid: int
    answer: int


def tick(outside: Outside) -> Ticked:
    """Carry out what is due; it ends when nothing due is left that it could start.

    Each moment has a process of its own, which goes on and records its end where the tick dies.
    Raises Canceled when it is stopped: its children are stopped, too, and have been waited for.
    """
    store = outside.store
    ticked = Ticked()
    settle_dead(store, ticked)
    children: dict[int, _Child] = {}
    again_at: dict[int, float] = {}
    with Stop().heeded() as stop:
        while not stop.requested():
            _start(outside, ticked, children, again_at, stop)
            if not children:
                break
            _collect(outside.store, children, again_at, ticked, stop)
        for pid in children:
            os.kill(pid, signal.SIGTERM)
        while children:
            _collect(outside.store, children, again_at, ticked, Stop())
        stop.check()
    return ticked


def settle_dead(store: Store, ticked: Ticked) -> None:
    """Account for the moments whose process died: their runs are `interrupted` by now."""
    reap(store)
    for task in store.schedules.unsettled():
        status = task.last_status or RunStatus.INTERRUPTED
        error = "its process died" if status is RunStatus.INTERRUPTED else None
        if task.last_run is None:
            continue
        outcome = store.schedules.settle(
            task.id, task.last_run, status, following(task, now()), error
        )
        if outcome is not None:
            ticked.moments.append(Happened(task.name, task.last_run, outcome, error))


def _start(
    outside: Outside,
    ticked: Ticked,
    children: dict[int, _Child],
    again_at: dict[int, float],
    stop: Stop,
) -> None:
    """Begin what is due and may begin; what is too late is missed, with the reason."""
    at = now()
    working_on = {child.task.id for child in children.values()}
    for task in outside.store.schedules.due(at):
        if task.id in working_on:
            continue
        if task.due_at is not None and misfired(task.due_at, task.grace, at):
            _miss(outside.store, task, at, ticked)
        elif len(children) >= outside.config.scheduler.max_running:
            return
        elif time.monotonic() >= again_at.get(task.id, 0.0):
            child = _fork(outside, task, stop)
            children[child.pid] = child


def _miss(store: Store, task: TaskRecord, at: datetime, ticked: Ticked) -> None:
    late = int((at - (task.due_at or at)).total_seconds())
    reason = f"overdue by {late} s, more than its grace of {task.grace} s"
    if task.error:
        reason += f"; what stood in the way: {task.error}"
    if store.schedules.miss(task, reason, following(task, at), at):
        ticked.moments.append(Happened(task.name, None, ScheduleStatus.MISSED, reason))


# ── children ─────────────────────────────────────────────────────────────────────────────────


def _fork(outside: Outside, task: TaskRecord, stop: Stop) -> _Child:
    """A child of this process: the app is loaded already, and no connection is open."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(task, pid, reading)
    status = 1
    try:
        os.close(reading)
        os.setpgrp()  # a Ctrl-C reaches the tick, which stops each of its children once
        os.write(writing, _carry_out(outside, task, stop).encode())
        status = 0
    except BaseException:  # noqa: BLE001  # a child must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _carry_out(outside: Outside, task: TaskRecord, stop: Stop) -> str:
    """What a child says: a word, and what belongs to it."""
    try:
        executed = execute(task, outside, _silent, stop.check)
    except TakenByAnother:
        return "taken"
    except Conflict as conflict:
        return f"blocked {conflict.message}"
    outcome = executed.outcome or ScheduleStatus.FAILED
    return f"done {executed.run} {outcome} {executed.error or ''}"


def _silent(_event: Event) -> None:
    """Nobody watches a scheduled run; it is recorded."""


def _collect(
    store: Store,
    children: dict[int, _Child],
    again_at: dict[int, float],
    ticked: Ticked,
    stop: Stop,
) -> None:
    """Wait for a child to end, and hear what it says; or until something can be tried again."""
    while not stop.requested():
        ended = [pid for pid in children if os.waitpid(pid, os.WNOHANG)[0] == pid]
        for pid in ended:
            _hear(store, children.pop(pid), again_at, ticked)
        if ended or any(time.monotonic() >= moment for moment in again_at.values()):
            return
        time.sleep(PACE)


def _hear(store: Store, child: _Child, again_at: dict[int, float], ticked: Ticked) -> None:
    said = _read(child.answer)
    word, _, rest = said.partition(" ")
    if word == "blocked":
        again_at[child.task.id] = time.monotonic() + AGAIN
        store.schedules.note_obstacle(child.task, rest)
    elif word == "done":
        again_at.clear()  # a slot is free, and the locks of its hosts
        run, outcome, error = rest.split(" ", 2)
        ticked.moments.append(
            Happened(child.task.name, int(run), ScheduleStatus(outcome), error or None)
        )
    elif word != "taken":  # it died: the next tick settles what it has begun
        ticked.moments.append(
            Happened(child.task.name, None, ScheduleStatus.FAILED, "its process died")
        )


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as answer:
        return answer.read()


def describe(moments: Sequence[Happened]) -> list[str]:
    """One line for each moment, for cron's mail."""
    return [
        f"{each.task}: {each.outcome}"
        + (f" (run {each.run})" if each.run else "")
        + (f": {each.error}" if each.error else "")
        for each in moments
    ]
