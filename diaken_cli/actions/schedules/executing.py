"""One moment of a task, from its claim to how it ended, in a process of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diaken_cli.actions import journal
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import account, now
from diaken_cli.actions.run.flow import RunRequest, carrying_out, steps
from diaken_cli.actions.run.targets import RunTarget, narrowed
from diaken_cli.actions.schedules.moments import following
from diaken_cli.errors import DiakenError, InvalidInput, NotFound
from diaken_cli.events import Emit
from diaken_cli.store.claims import Attempt, Begun
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.words import RunStatus, ScheduleStatus


class TakenByAnother(Exception):
    """Another process carries this moment out, or the task is not what it was."""


@dataclass(frozen=True)
class Executed:
    """How a moment ended: its run, and what that is for the task."""

    run: int
    outcome: ScheduleStatus | None
    error: str | None = None


def execute(task: TaskRecord, outside: Outside, show: Emit, check: Callable[[], None]) -> Executed:
    """Claim the moment and carry it out, on the hosts that its target has now.

    `check` raises Canceled where a stop was asked for before this run could hear of it. Raises
    TakenByAnother; Conflict (`locked`, `no_slot`), and then nothing was begun.
    """
    store = outside.store
    begun: list[int] = []

    def begin(attempt: Attempt) -> tuple[Begun, RunRequest]:
        check()
        claimed = store.schedules.claim(
            task,
            attempt,
            user=account(),
            max_running=outside.config.scheduler.max_running,
            now=now(),
            choose=lambda hosts: _left(task, hosts),
        )
        if claimed is None:
            raise TakenByAnother
        begun.append(claimed.run.id)
        return claimed.run, _request(claimed.task, claimed.hosts)

    error: str | None = None
    try:
        with carrying_out(outside, begin, show) as world:
            if not world.request.target.hosts:
                raise NotFound(
                    f"{task.target_type} {task.target} has no active host that is meant",
                    code="no_active_host",
                )
            journal.carry_out(steps(world.request), world, {})
    except DiakenError as fault:
        if not begun:
            raise
        error = fault.message
    finally:
        outcome = _settle(task, outside, begun, error)
    return Executed(begun[0], outcome, error)


def _settle(
    task: TaskRecord, outside: Outside, begun: Sequence[int], error: str | None
) -> ScheduleStatus | None:
    """Write how it ended; a process that is torn away leaves that to the next tick."""
    if not begun:
        return None
    detail = outside.store.history.find(begun[0])
    status = RunStatus.INTERRUPTED if detail is None else detail.run.status
    if status is RunStatus.RUNNING:
        return None
    said = error if status is not RunStatus.SUCCESS else None
    if status is RunStatus.PARTIAL:
        said = "some hosts failed"
    return outside.store.schedules.settle(task.id, begun[0], status, following(task, now()), said)


def _request(task: TaskRecord, hosts: tuple[HostRecord, ...]) -> RunRequest:
    target = RunTarget(task.target_type, task.target_id, task.target, task.environment, hosts)
    return RunRequest(target, task.playbook, task.options)


def _left(task: TaskRecord, hosts: Sequence[HostRecord]) -> Sequence[HostRecord]:
    """The hosts that `--limit` and `--exclude` leave; an excluded one may be gone by now."""
    target = RunTarget(
        task.target_type, task.target_id, task.target, task.environment, tuple(hosts)
    )
    try:
        return narrowed(target, task.options, strict=False).hosts
    except InvalidInput:
        return ()
