"""Scheduled tasks as frozen records, and the statements that read and keep them."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from diaken_cli.errors import Conflict, DiakenError, InvalidInput, Mistake, NotFound
from diaken_cli.models.runs import Run
from diaken_cli.models.schedules import ScheduledTask
from diaken_cli.requests import RunOptions
from diaken_cli.types import RunStatus, ScheduleStatus, TargetType, from_stored, to_stored

if TYPE_CHECKING:
    from diaken_cli.timing import Moment

HAS_ENDED = col(ScheduledTask.status).not_in((ScheduleStatus.PENDING, ScheduleStatus.RUNNING))

TaskQuery = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class TaskValues:
    """What a task is stored with: a playbook on a host or a group, and when.

    `moment` is the first one, or the only one, `rule` a canonical RRULE, `due_at` the next instant;
    `grace` is in seconds.
    """

    target_type: TargetType
    target_id: int
    target: str
    environment: str
    playbook: str
    options: RunOptions
    moment: "Moment"
    rule: str | None
    grace: int
    due_at: datetime


@dataclass(frozen=True)
class TaskRecord:
    """A scheduled task. `due_at` is its next moment, or the one that is being carried out.

    `target_id` is None where the target of a task that has ended was removed; `last_status` is
    how its last run stands; `error` is what went wrong the last time.
    """

    id: int
    name: str
    target_type: TargetType
    target_id: int | None
    target: str
    environment: str
    playbook: str
    options: RunOptions
    moment: "Moment"
    rule: str | None
    grace: int
    due_at: datetime | None
    status: ScheduleStatus
    last_run: int | None
    last_status: RunStatus | None
    error: str | None

    @property
    def zone_is_lost(self) -> bool:
        """Whether this machine knows its time zone no more; `moment.instant` is no instant then."""
        from diaken_cli.timing.moments import is_zone

        return not is_zone(self.moment.zone)


def select_tasks() -> TaskQuery:
    """The one query for tasks, with how their last run stands, in the order of their numbers."""
    return (
        select(ScheduledTask, col(Run.status))
        .outerjoin(Run, col(Run.id) == col(ScheduledTask.last_run_id))
        .order_by(col(ScheduledTask.id))
    )


def records(session: Session, query: TaskQuery) -> list[TaskRecord]:
    """The tasks of a query that began with `select_tasks`."""
    return [
        TaskRecord(
            id=task.id,
            name=task.name,
            target_type=task.target_type,
            target_id=task.host_id if task.target_type is TargetType.HOST else task.group_id,
            target=task.target,
            environment=task.environment,
            playbook=task.playbook,
            options=from_stored(RunOptions, task.options),
            moment=_moment(task),
            rule=task.rrule,
            grace=task.grace_s,
            due_at=task.due_at,
            status=task.status,
            last_run=task.last_run_id,
            last_status=last_status,
            error=task.error,
        )
        for task, last_status in session.execute(query).all()
    ]


def columns(values: TaskValues) -> dict[str, Any]:
    """The values as the table has them."""
    is_host = values.target_type is TargetType.HOST
    return {
        "target_type": values.target_type,
        "host_id": values.target_id if is_host else None,
        "group_id": None if is_host else values.target_id,
        "target": values.target,
        "environment": values.environment,
        "playbook": values.playbook,
        "options": to_stored(values.options),
        "wall_at": values.moment.wall.isoformat(" "),
        "timezone": values.moment.zone,
        "fold": values.moment.fold,
        "rrule": values.rule,
        "grace_s": values.grace,
        "due_at": values.due_at,
    }


def insert_task(session: Session, name: str, values: TaskValues) -> TaskRecord:
    """Add a task. Raises InvalidInput where its name is in use, Conflict without its target."""
    row = ScheduledTask(name=name, status=ScheduleStatus.PENDING, **columns(values))
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as fault:
        raise _refusal(session, name, values) from fault
    return records(session, select_tasks().where(col(ScheduledTask.id) == row.id))[0]


def task_by_id(session: Session, task_id: int) -> TaskRecord:
    """A task that must be there. Raises NotFound."""
    for task in records(session, select_tasks().where(col(ScheduledTask.id) == task_id)):
        return task
    raise NotFound("the scheduled task no longer exists", hint="See: diaken schedule list")


def update_task(session: Session, task_id: int, **values: object) -> None:
    """Store values of a task that this process holds."""
    session.execute(update(ScheduledTask).where(col(ScheduledTask.id) == task_id).values(**values))


def update_pending(session: Session, task_id: int, **values: object) -> None:
    """Store values of a pending task. Raises Conflict where it is running or has ended."""
    changed = (
        update(ScheduledTask)
        .where(
            col(ScheduledTask.id) == task_id, col(ScheduledTask.status) == ScheduleStatus.PENDING
        )
        .values(**values)
        .returning(col(ScheduledTask.id))
    )
    if session.execute(changed).scalar_one_or_none() is None:
        raise _not_pending(task_by_id(session, task_id))


def set_values(session: Session, task_id: int, values: TaskValues) -> None:
    """Give a pending task other values. Raises as `update_pending`, Conflict without its target."""
    try:
        with session.begin_nested():
            update_pending(session, task_id, error=None, **columns(values))
    except IntegrityError as fault:
        raise _target_gone(values) from fault


def same_values(first: TaskRecord, second: TaskRecord) -> bool:
    """Whether both have the same values, however their runs stand."""
    return all(
        getattr(first, field.name) == getattr(second, field.name) for field in fields(TaskValues)
    )


def open_tasks(where: ColumnElement[bool]) -> Select[str]:
    """A query for the names of the tasks that have not ended, in order."""
    name = col(ScheduledTask.name)
    return select(name).where(where, ~HAS_ENDED).order_by(name)


def release_ended_tasks(session: Session, column: Any, number: int) -> None:
    """Let the tasks that have ended no longer refer to a host or a group: they keep its name.

    `column` is the one that refers to it.
    """
    session.execute(
        update(ScheduledTask).where(column == number, HAS_ENDED).values({column.key: None})
    )


def is_due(session: Session, task: TaskRecord) -> bool:
    """Whether the moment of a pending task is not claimed yet."""
    query = select(col(ScheduledTask.id)).where(*still_due(task.id, task.due_at))
    return session.execute(query).scalar_one_or_none() is not None


def claim_moment(session: Session, task_id: int, due_at: datetime | None) -> bool:
    """Make the moment of a pending task this process's own; False where another was first."""
    claim_statement = (
        update(ScheduledTask)
        .where(*still_due(task_id, due_at))
        .values(status=ScheduleStatus.RUNNING)
        .returning(col(ScheduledTask.id))
    )
    return session.execute(claim_statement).scalar_one_or_none() is not None


def still_due(task_id: int, due_at: datetime | None) -> tuple[ColumnElement[bool], ...]:
    """The condition that the moment of a pending task is not claimed yet."""
    return (
        col(ScheduledTask.id) == task_id,
        col(ScheduledTask.status) == ScheduleStatus.PENDING,
        col(ScheduledTask.due_at) == due_at,
    )


def end_moment(
    session: Session,
    task_id: int,
    outcome: ScheduleStatus,
    next_due: datetime | None,
    error: str | None,
) -> None:
    """Write what became of the moment that this process has taken; the next one, if any, waits."""
    status = outcome if next_due is None else ScheduleStatus.PENDING
    update_task(session, task_id, status=status, due_at=next_due, error=error)


def _refusal(session: Session, name: str, values: TaskValues) -> DiakenError:
    """Why the database refused to keep a task."""
    query = select_tasks().where(col(ScheduledTask.name) == name, ~HAS_ENDED)
    for existing in records(session, query):
        message = f"scheduled task {name!r} already exists ({existing.id}, {existing.status})"
        return InvalidInput([Mistake("NAME", name, message, kind="in_use")])
    return _target_gone(values)


def _target_gone(values: TaskValues) -> Conflict:
    return Conflict(f"{values.target_type} {values.target} was removed in the meantime")


def _not_pending(task: TaskRecord) -> Conflict:
    if task.status is ScheduleStatus.RUNNING:
        return Conflict(
            f"scheduled task {task.name!r} is running (run {task.last_run})",
            code="running",
            hint=f"Stop it: diaken schedule cancel {task.id} --stop",
        )
    return Conflict(
        f"scheduled task {task.name!r} has already ended ({task.status})",
        code="ended",
        hint="Add a new one: diaken schedule add",
    )


def _moment(task: ScheduledTask) -> "Moment":
    from diaken_cli.timing.moments import Moment, as_instant, is_zone  # not where no task is read

    wall = datetime.fromisoformat(task.wall_at)
    region = ZoneInfo(task.timezone) if is_zone(task.timezone) else UTC
    return Moment(wall, task.timezone, task.fold, as_instant(wall, region, task.fold))
