"""Scheduled tasks: each of their moments is claimed once, and every one of them is accounted for.

A task is `pending` with its next moment, or `running` with the one that is being carried out.
Who claims a moment, gives it up as missed or settles how it ended does so in one transaction that
asks for the state it expects: of two processes one wins, and the other is told.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlmodel import Session, col

from diaken_cli.errors import Conflict
from diaken_cli.models.meta import Meta
from diaken_cli.models.runs import Run
from diaken_cli.models.schedules import MissedMoment, ScheduledTask
from diaken_cli.store.engines import Database
from diaken_cli.store.tasks import (
    HAS_ENDED,
    TaskRecord,
    TaskValues,
    claim_moment,
    end_moment,
    insert_task,
    is_due,
    records,
    same_values,
    select_tasks,
    set_values,
    still_due,
    task_by_id,
    update_pending,
)
from diaken_cli.types import RunStatus, ScheduleStatus, Trigger

PAUSED_UNTIL = "paused_until"
FOR_GOOD = datetime.max.replace(tzinfo=UTC)
# As the tables have times, so that what only reads the file compares them alike.
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"

# The status of a task by that of its run.
TASK_STATUSES = {
    RunStatus.SUCCESS: ScheduleStatus.COMPLETED,
    RunStatus.PARTIAL: ScheduleStatus.FAILED,
    RunStatus.FAILED: ScheduleStatus.FAILED,
    RunStatus.INTERRUPTED: ScheduleStatus.FAILED,
    RunStatus.CANCELED: ScheduleStatus.CANCELED,
}


@dataclass(frozen=True)
class MissedMomentRecord:
    """A moment that passed without an execution, and why."""

    due_at: datetime
    noticed_at: datetime
    reason: str


class Schedules:
    """Keeps scheduled tasks, and hands out their moments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ── tasks ────────────────────────────────────────────────────────────────────────────────

    def tasks(self, *, include_ended: bool = True) -> list[TaskRecord]:
        """The tasks, in the order in which they were added."""
        return self._records() if include_ended else self._records(~HAS_ENDED)

    def find(self, name_or_id: str) -> TaskRecord | None:
        """A task by its number; or by its name: the one that has not ended, else the newest."""
        if re.fullmatch(r"[0-9]{1,18}", name_or_id):
            tasks = self._records(col(ScheduledTask.id) == int(name_or_id))
        else:
            tasks = self._records(col(ScheduledTask.name) == name_or_id)
        going_on = (ScheduleStatus.PENDING, ScheduleStatus.RUNNING)
        return max(tasks, key=lambda task: (task.status in going_on, task.id), default=None)

    def add(self, name: str, values: TaskValues) -> TaskRecord:
        """Add a task. Raises InvalidInput where a task that has not ended has the name."""
        with self._database.writing() as session:
            return insert_task(session, name, values)

    def set(self, task: TaskRecord, values: TaskValues) -> TaskRecord:
        """Give a task other values. Raises Conflict where it is not pending as it was.

        Also where its new target was removed meanwhile.
        """
        with self._database.writing() as session:
            current = task_by_id(session, task.id)
            if current.status is ScheduleStatus.PENDING and not same_values(current, task):
                raise Conflict(
                    f"scheduled task {task.name!r} has just been started or changed",
                    code="changed",
                    hint=f"Check it, and try again: diaken schedule show {task.id}",
                )
            set_values(session, task.id, values)
            return task_by_id(session, task.id)

    def cancel(self, task: TaskRecord) -> TaskRecord:
        """Take a task off the schedule. Raises Conflict where it is running or has ended."""
        with self._database.writing() as session:
            update_pending(session, task.id, status=ScheduleStatus.CANCELED, due_at=None)
            return task_by_id(session, task.id)

    def cancel_after_run(self, task: TaskRecord) -> int | None:
        """Let the run that is going on be the last: its number; it is settled as `canceled`.

        None where none is going on.
        """
        last = (
            update(ScheduledTask)
            .where(
                col(ScheduledTask.id) == task.id,
                col(ScheduledTask.status) == ScheduleStatus.RUNNING,
            )
            .values(due_at=None)
            .returning(col(ScheduledTask.last_run_id))
        )
        with self._database.writing() as session:
            return session.execute(last).scalar_one_or_none()

    def misses(self, task: TaskRecord) -> list[MissedMomentRecord]:
        """The moments of a task that were missed, the latest first."""
        query = select(MissedMoment).where(col(MissedMoment.scheduled_task_id) == task.id)
        with self._database.reading() as session:
            rows = session.scalars(query.order_by(col(MissedMoment.due_at).desc())).all()
        return [MissedMomentRecord(row.due_at, row.noticed_at, row.reason) for row in rows]

    # ── moments ──────────────────────────────────────────────────────────────────────────────

    def due(self, now: datetime) -> list[TaskRecord]:
        """The pending tasks whose moment has come, the longest due first; none while paused."""
        if self.paused_until(now) is not None:
            return []
        tasks = self._records(
            col(ScheduledTask.status) == ScheduleStatus.PENDING, col(ScheduledTask.due_at) <= now
        )
        return sorted(tasks, key=lambda task: (task.due_at or now, task.id))

    def is_due(self, task: TaskRecord) -> bool:
        """Whether the moment of a pending task is not claimed yet."""
        with self._database.reading() as session:
            return is_due(session, task)

    def note_obstacle(self, task: TaskRecord, reason: str) -> None:
        """Keep why a pending task could not begin, until it does."""
        kept = update(ScheduledTask).where(*still_due(task.id, task.due_at)).values(error=reason)
        with self._database.writing() as session:
            session.execute(kept)

    def settle(
        self,
        task_id: int,
        run_id: int,
        status: RunStatus,
        next_due: datetime | None,
        error: str | None = None,
        passed: MissedMomentRecord | None = None,
    ) -> ScheduleStatus | None:
        """Write how the run of a task ended: what that is for the task, None if it was settled.

        With a next moment the task is pending again, unless it was to be canceled after the run.
        `passed` are moments before that one which passed meanwhile.
        """
        condition = (
            col(ScheduledTask.id) == task_id,
            col(ScheduledTask.status) == ScheduleStatus.RUNNING,
            col(ScheduledTask.last_run_id) == run_id,
        )
        outcome = TASK_STATUSES[status]
        with self._database.writing() as session:
            row = session.execute(select(col(ScheduledTask.due_at)).where(*condition)).one_or_none()
            if row is None:
                return None
            if row.due_at is None:
                outcome, next_due = ScheduleStatus.CANCELED, None
            end_moment(session, task_id, outcome, next_due, error)
            if next_due is not None:
                _add_missed_moment(session, task_id, passed)
        return outcome

    def unsettled(self) -> list[TaskRecord]:
        """The tasks that are running though their run has ended: a process died in between.

        Their `last_status` says how it ended; None where the run itself is gone.
        """
        return self._records(
            col(ScheduledTask.status) == ScheduleStatus.RUNNING,
            col(Run.status).is_(None)
            | col(Run.status).not_in((RunStatus.RUNNING, RunStatus.PAUSED)),
        )

    def miss(
        self,
        task: TaskRecord,
        reason: str,
        next_due: datetime | None,
        now: datetime,
        passed: MissedMomentRecord | None = None,
    ) -> bool:
        """Give up a moment, with the reason; False where another process was first.

        `passed` are moments after it that are not made up for.
        """
        with self._database.writing() as session:
            if task.due_at is None or not claim_moment(session, task.id, task.due_at):
                return False
            _add_missed_moment(session, task.id, MissedMomentRecord(task.due_at, now, reason))
            _add_missed_moment(session, task.id, passed)
            end_moment(session, task.id, ScheduleStatus.MISSED, next_due, reason)
        return True

    def running_count(self) -> int:
        """How many scheduled runs go on."""
        with self._database.reading() as session:
            return _running(session)

    # ── pausing ──────────────────────────────────────────────────────────────────────────────

    def pause(self, until: datetime | None = None) -> None:
        """Freeze all tasks, until a moment or until `resume`."""
        value = (until or FOR_GOOD).astimezone(UTC).strftime(TIME_FORMAT)
        with self._database.writing() as session:
            session.merge(Meta(key=PAUSED_UNTIL, value=value))

    def resume(self) -> bool:
        """Let tasks run again; False where they were not paused."""
        gone = delete(Meta).where(col(Meta.key) == PAUSED_UNTIL).returning(col(Meta.key))
        with self._database.writing() as session:
            return session.execute(gone).scalar_one_or_none() is not None

    def paused_until(self, now: datetime) -> datetime | None:
        """Until when all tasks are frozen: `FOR_GOOD` without an end, None where they are not."""
        query = select(col(Meta.value)).where(col(Meta.key) == PAUSED_UNTIL)
        with self._database.reading() as session:
            value = session.execute(query).scalar_one_or_none()
        if value is None:
            return None
        until = datetime.strptime(value, TIME_FORMAT).replace(tzinfo=UTC)
        return until if until > now else None

    def _records(self, *where: ColumnElement[bool]) -> list[TaskRecord]:
        with self._database.reading() as session:
            return records(session, select_tasks().where(*where))


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def _running(session: Session) -> int:
    query = select(func.count()).where(
        col(Run.status) == RunStatus.RUNNING, col(Run.trigger) == Trigger.SCHEDULE
    )
    return int(session.execute(query).scalar_one())


def _add_missed_moment(session: Session, task_id: int, miss: MissedMomentRecord | None) -> None:
    """Keep that a moment passed without an execution."""
    if miss is not None:
        session.merge(
            MissedMoment(
                scheduled_task_id=task_id,
                due_at=miss.due_at,
                noticed_at=miss.noticed_at,
                reason=miss.reason,
            )
        )
