"""One moment of a task, from its claim to how it ended, in a process of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diaken_cli.actions import journal
from diaken_cli.actions.here import account, now
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.playbook import refuse_exposed
from diaken_cli.actions.run.flow import (
    RunRequest,
    carrying_out,
    refuse_without_hosts,
    steps,
)
from diaken_cli.actions.run.summary import news, summary
from diaken_cli.actions.run.targets import RunTarget, narrowed
from diaken_cli.actions.schedules.moments import following
from diaken_cli.errors import InvalidInput
from diaken_cli.events import Emit
from diaken_cli.store import Store
from diaken_cli.store.claims import Attempt, Begun
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.words import RunStatus, ScheduleStatus

if TYPE_CHECKING:
    from diaken_cli.store.schedules import Claimed


class TakenByAnother(Exception):
    """Another process carries this moment out, or the task is not what it was."""


@dataclass(frozen=True)
class Settled:
    """How a moment ended: its run, what that is for the task, and what somebody has to know."""

    run: int
    outcome: ScheduleStatus
    news: str | None


def execute(
    task: TaskRecord, outside: Outside, show: Emit, check: Callable[[], None]
) -> Settled | None:
    """Claim the moment and carry it out, on the hosts that its target has now.

    None where another process has settled it, and told of it. `check` raises Canceled where a stop
    was asked for before this run could hear of it. Raises TakenByAnother; Conflict (`locked`,
    `no_slot`), or whatever else it was because of which nothing was begun.
    """
    store = outside.store
    begun: list[Claimed] = []

    def begin(attempt: Attempt) -> tuple[Begun, RunRequest]:
        check()
        claimed = store.schedules.claim(
            task,
            attempt,
            user=account(),
            max_running=outside.config.scheduler.max_running,
            now=now(),
            choose=lambda current, hosts: chosen(store, current, hosts),
        )
        if claimed is None:
            raise TakenByAnother
        begun.append(claimed)
        return claimed.run, _request(claimed.task, claimed.hosts)

    try:
        with carrying_out(outside, begin, show) as world:
            refuse_without_hosts(world.request)
            refuse_exposed(world.request.playbook, world.request.options, outside.config)
            journal.carry_out(steps(world.request), world, {})
    except Exception:
        if not begun:
            raise  # what happens later is recorded in the run, and read back from it
    return settle(store, begun[0].task, begun[0].run.id)


def settle(store: Store, task: TaskRecord, run_id: int) -> Settled | None:
    """Write how the run of a task ended, as the run itself says; None where that was done.

    Who carries it out does so, or where that process died the next tick.
    """
    detail = store.history.find(run_id)
    status = RunStatus.INTERRUPTED if detail is None else detail.run.status
    if status is RunStatus.RUNNING:
        return None
    error = None
    if detail is not None and detail.run.error is not None:
        error = str(detail.run.error["message"])
    elif detail is not None and status is RunStatus.PARTIAL:
        error = summary(detail)
    at = now()
    then = following(task, at)
    if task.rule is not None and task.zone_is_lost:
        error = f"it does not come again: this machine knows no time zone {task.moment.zone}"
    outcome = store.schedules.settle(task.id, run_id, status, then.due_at, error, then.passed)
    if outcome is None:
        return None
    return Settled(run_id, outcome, None if detail is None else news(detail))


def chosen(store: Store, task: TaskRecord, hosts: Sequence[HostRecord]) -> Sequence[HostRecord]:
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
