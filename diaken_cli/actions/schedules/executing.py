"""One moment of a task, from its claim to how it ended, in a process of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diaken_cli.actions.history import cancel as cancel_run
from diaken_cli.actions.playbook import refuse_exposed
from diaken_cli.actions.run.flow import Chosen, new_run, recorded, refuse_without_hosts, steps
from diaken_cli.actions.run.summary import news, summary
from diaken_cli.actions.run.targets import RunRequest, RunTarget, active_hosts, narrowed
from diaken_cli.actions.schedules.moments import following
from diaken_cli.caller import now
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, InvalidInput
from diaken_cli.events import Emit
from diaken_cli.runs import journal
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import RunStatus, ScheduleStatus


class AlreadyClaimed(Exception):
    """Another process carries this moment out, or the task is not what it was."""


@dataclass(frozen=True)
class SettledRun:
    """How a moment ended: its run, what that is for the task, and what somebody has to know."""

    run: int
    outcome: ScheduleStatus
    news: str | None


def execute(task: TaskRecord, context: Context, show: Emit) -> SettledRun | None:
    """Claim the moment and carry it out: the task, and the hosts of its target, as they are now.

    None where another process has settled it, and told of it. Raises AlreadyClaimed; Conflict
    (`locked`, `no_slot`), or whatever else it was because of which nothing was begun.
    """
    store = context.store
    if not store.schedules.is_due(task):
        raise AlreadyClaimed  # seen without waiting for those who write
    claimed: list[TaskRecord] = []
    run_id = None

    def select() -> Chosen:
        current, request = claim(store, task, context.config.scheduler.max_running)
        claimed[:] = [current]
        return request, new_run(request, current)

    try:
        with recorded(context, select, show) as flow:
            run_id = flow.run.id
            refuse_without_hosts(flow.request)
            refuse_exposed(flow.request.playbook, flow.request.options, context.config)
            journal.execute(steps(flow.request), flow, {})
    except Exception:
        if run_id is None:
            raise  # what happens later is recorded in the run, and read back from it
    if run_id is None:
        raise AlreadyClaimed
    return settle(store, claimed[0], run_id)


def claim(store: Store, task: TaskRecord, max_running: int) -> tuple[TaskRecord, RunRequest]:
    """The task as it is by now, and what its moment is to do; in the transaction that begins it.

    Where no host is left the run begins without any. Raises AlreadyClaimed; Conflict where
    `max_running` scheduled runs go on.
    """
    current = store.schedules.find(str(task.id))  # it may have been set to something else
    if current is None or not store.schedules.is_due(task):
        raise AlreadyClaimed
    if store.schedules.running_count() >= max_running:
        raise Conflict(
            f"{max_running} scheduled runs go on, as many as `[scheduler] max_running` has",
            code="no_slot",
        )
    active = active_hosts(store, current.target_type, current.target_id)
    return current, _request(current, chosen(store, current, active))


def settle(store: Store, task: TaskRecord, run_id: int) -> SettledRun | None:
    """Write how the run of a task ended, as the run itself says; None where that was done.

    Who carries it out does so, or where that process died the next tick.
    """
    detail = store.history.find(run_id)
    status = RunStatus.INTERRUPTED if detail is None else detail.run.status
    if status in (RunStatus.RUNNING, RunStatus.PAUSED):
        return None
    error = None
    if detail is not None and detail.run.error is not None:
        error = str(detail.run.error["message"])
    elif detail is not None and status is RunStatus.PARTIAL:
        error = summary(detail)
    at = now()
    next_moment = following(task, at)
    if task.rule is not None and task.zone_is_lost:
        error = f"it does not come again: this machine knows no time zone {task.moment.zone}"
    outcome = store.schedules.settle(
        task.id, run_id, status, next_moment.due_at, error, next_moment.passed
    )
    if outcome is None:
        return None
    return SettledRun(run_id, outcome, None if detail is None else news(detail))


def chosen(store: Store, task: TaskRecord, hosts: Sequence[HostRecord]) -> tuple[HostRecord, ...]:
    """The hosts that `--limit` and `--exclude` leave; an excluded one may be gone by now."""
    target = RunTarget(
        task.target_type, task.target_id, task.target, task.environment, tuple(hosts)
    )
    try:
        return narrowed(store, target, task.options, strict=False).hosts
    except InvalidInput:
        return ()


def _request(task: TaskRecord, hosts: tuple[HostRecord, ...]) -> RunRequest:
    target = RunTarget(task.target_type, task.target_id, task.target, task.environment, hosts)
    return RunRequest(target, task.playbook, task.options)


def cancel_task(
    store: Store, task: TaskRecord, warn: Callable[[str], None], *, stop: bool
) -> TaskRecord:
    """Take a task off the schedule, with `stop` also one that is running: the task as it is then.

    `warn` is told what could not be ended on hosts. Raises Conflict where it is running, or has
    ended; and what stopping a run raises: its task is canceled with the end of that run all the
    same.
    """
    run = store.schedules.cancel_after_run(task) if stop else None
    if run is None:
        return store.schedules.cancel(task)
    try:
        cancel_run(store, run, warn)
    except Conflict as conflict:
        if conflict.code != "not_running":  # it has just ended by itself
            raise
    settle(store, task, run)  # where its own process has not come to it yet
    return store.schedules.find(str(task.id)) or task
