"""vSphere tasks: wait for many at once, follow those that come and go, cancel and find some."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import ManagedObject

from diaken_cli.errors import DiakenError, TimedOut, VSphereError
from diaken_cli.services.vsphere import faults
from diaken_cli.services.vsphere.changes import watch
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import (
    Properties,
    not_understood,
    read,
    reference,
)
from diaken_cli.services.vsphere.session import Session

_CANCEL_TIMEOUT = 120.0
"""Seconds for a canceled vSphere task to end: a clone stops between two chunks of its copy."""

QUIET_SECONDS = 10
"""After so many without a notice the tasks are looked at: one that got lost must not cost more."""

_PATHS = (
    *("info.state", "info.progress", "info.cancelled", "info.entity", "info.entityName"),
    *("info.descriptionId", "info.queueTime", "info.completeTime", "info.error", "info.result"),
)
"""What is read of a task: one of these that can't be understood costs none of the others."""

_NEVER = datetime.min.replace(tzinfo=UTC)
ENDED = ("success", "error")


@dataclass(frozen=True)
class TaskState:
    """A vSphere task (TaskInfo in the API).

    `state` is queued, running, success or error, or unknown where vCenter answers with another one
    and does not tell that the task has ended; `percent` is 0-100 where vCenter tells; `result` the
    reference of what it made; `error` why it failed; `entity` and `entity_name` what it works on (a
    clone: its source); `operation` like "VirtualMachine.clone". A task that vCenter does not know
    any more (it forgets them some minutes after their end) is `forgotten`: an error with code
    `gone`, though it may have succeeded, or go on.
    """

    ref: str
    state: str
    percent: int | None = None
    result: str | None = None
    error: DiakenError | None = None
    forgotten: bool = False
    canceled: bool = False
    entity: str | None = None
    entity_name: str | None = None
    operation: str | None = None
    queued_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    @property
    def running(self) -> bool:
        """Whether it is known to go on, or to wait for its turn."""
        return self.state in ("queued", "running")


def wait(
    session: Session,
    task_refs: Iterable[str],
    *,
    timeout: float,
    on_progress: Callable[[TaskState], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, TaskState]:
    """Wait for all of them together, and say how each stands, by reference.

    It returns when all have ended, when `timeout` seconds have passed or when `should_stop` says so
    (looked at each second): the caller sees by `ended` which have not. A failed task is data, and
    so is one that vCenter has forgotten. A Ctrl-C leaves the tasks running and the session usable.
    """
    deadline = time.monotonic() + timeout
    states = read_states(session, task_refs)
    seen = _running(states)
    while pending := _running(states):
        try:
            _watch(session, states, deadline, on_progress, should_stop)
            break
        except VSphereError as fault:
            if fault.code != "gone":
                raise
            # One is forgotten: the others are watched anew.
            states.update(read_states(session, _running(states)))
            if len(_running(states)) == len(pending):
                raise
    # The changes tell that a task has ended; only its whole info tells how.
    return states | _whole(session, {ref: states[ref] for ref in seen if states[ref].ended})


def _watch(
    session: Session,
    states: dict[str, TaskState],
    deadline: float,
    on_progress: Callable[[TaskState], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    """Keep the states up to date until all have ended, or the wait is over.

    Raises VSphereError (`gone`) where vCenter forgets one of them.
    """
    quiet = 0
    paths = ("info.state", "info.progress")
    with closing(watch(session, vim.Task, _running(states), paths)) as updates:
        for changes in updates:
            for ref, values in changes.items():
                if ref not in states:
                    continue
                percent = values.get("info.progress", states[ref].percent)
                state = str(values.get("info.state") or states[ref].state)
                if not states[ref].ended:
                    states[ref] = replace(states[ref], state=state, percent=percent)
                    if on_progress is not None:
                        on_progress(states[ref])
            quiet = 0 if changes else quiet + 1
            if quiet >= QUIET_SECONDS:
                quiet = 0
                states.update(read_states(session, _running(states)))
            if not _running(states) or time.monotonic() >= deadline:
                return
            if should_stop is not None and should_stop():
                return


def _whole(session: Session, seen: Mapping[str, TaskState]) -> dict[str, TaskState]:
    """How tasks that were seen to end have ended; a success that is forgotten by then is one."""
    read = read_states(session, seen)
    return {
        ref: seen[ref] if state.forgotten and seen[ref].state == "success" else state
        for ref, state in read.items()
    }


def cancel(session: Session, task_ref: str, *, timeout: float = _CANCEL_TIMEOUT) -> TaskState:
    """Cancel a task and wait for its end, which may still be success. Raises TimedOut."""
    try:
        session.managed(vim.Task, task_ref).CancelTask()
    except VSphereError as refusal:
        # Ended already, or of a kind that can't be canceled: its end is what counts.
        if refusal.code not in ("invalid_state", "not_supported", "gone"):
            raise
    state = wait(session, [task_ref], timeout=timeout)[task_ref]
    if not state.ended:
        raise TimedOut(
            f"the vSphere task {task_ref} ({state.operation}) was canceled and has not finished "
            f"after {timeout:.0f} s",
            hint="Check it in vCenter under recent tasks.",
            code="task_not_canceled",
        )
    return state


def recent_tasks(session: Session, entity: str) -> tuple[TaskState, ...]:
    """The tasks on an entity (its reference or name) that run or ended lately, oldest first.

    For a clone that is its template: vCenter does not tell the new VM's name before the task's
    `result` exists. A task of which nobody can tell on what it works is passed over; one of which
    nobody can tell what it is doing has the state `unknown`.
    """
    rows = read(session, vim.Task, _recent(session, entity), _PATHS)
    name = None
    if any("info.entity" in not_understood(values) for values in rows.values()):
        named = read(session, vim.VirtualMachine, [entity], ["name"]).get(entity, {})
        name = unescape(named["name"]) if "name" in named else None
    states = (_state(session, ref, values) for ref, values in rows.items())
    own = (
        state
        for state in states
        if entity in (state.entity, state.entity_name)
        or (state.entity is None and name is not None and state.entity_name == name)
    )
    return tuple(sorted(own, key=lambda state: state.queued_at or _NEVER))


def _recent(session: Session, entity: str) -> list[str]:
    """The recent tasks; those of the entity alone where that list can't be understood."""
    manager = reference(session.content.taskManager)
    values = read(session, vim.TaskManager, [manager], ["recentTask"]).get(manager)
    if values is None or "recentTask" in not_understood(values):
        values = read(session, vim.VirtualMachine, [entity], ["recentTask"]).get(entity, {})
    return [reference(task) for task in values.get("recentTask", [])]


def _running(states: dict[str, TaskState]) -> list[str]:
    return [ref for ref, state in states.items() if not state.ended]


def read_states(session: Session, refs: Iterable[str]) -> dict[str, TaskState]:
    """How each of these tasks stands, in one query."""
    refs = list(dict.fromkeys(refs))
    rows = read(session, vim.Task, refs, _PATHS)
    states = {}
    for ref in refs:
        if ref in rows:
            states[ref] = _state(session, ref, rows[ref])
        else:
            error = VSphereError(f"vCenter no longer knows the task {ref}", code="gone")
            states[ref] = TaskState(ref=ref, state="error", error=error, forgotten=True)
    return states


def _state(session: Session, ref: str, values: Properties) -> TaskState:
    fault = values.get("info.error")
    entity, result = values.get("info.entity"), values.get("info.result")
    queued_at: datetime | None = values.get("info.queueTime")
    state = _named_state(values)
    return TaskState(
        ref=ref,
        state=state,
        percent=values.get("info.progress"),
        result=reference(result) if isinstance(result, ManagedObject) else None,
        error=_error(session, ref, values) if state == "error" else None,
        canceled=bool(values.get("info.cancelled"))
        or isinstance(fault, vmodl.fault.RequestCanceled),
        entity=reference(entity) if entity is not None else None,
        entity_name=unescape(values["info.entityName"]) if "info.entityName" in values else None,
        operation=bounded_line(values.get("info.descriptionId", "")),
        queued_at=queued_at.astimezone(UTC) if queued_at else None,
    )


def _named_state(values: Properties) -> str:
    """The state, where that is unknown by what else tells how a task has ended."""
    if "info.state" in values:
        return str(values["info.state"])
    if "info.completeTime" not in values:
        return "unknown"
    return "error" if {"info.error"} & {*values, *not_understood(values)} else "success"


def _error(session: Session, ref: str, values: Properties) -> DiakenError:
    if "info.error" in values:
        fault = values["info.error"]
        return faults.translate(fault, session.transport.name_of, session.username)
    if why := not_understood(values).get("info.error"):
        return VSphereError(f"the vSphere task {ref} failed for an unknown reason ({why})")
    return VSphereError(f"the vSphere task {ref} failed without a reason")
