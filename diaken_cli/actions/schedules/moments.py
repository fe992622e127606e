"""The next moment of a task: a rule goes on from the one before, never back into an outage."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from diaken_cli.store.schedules import Miss
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import latest_instant, next_instant, upcoming
from diaken_cli.words import ScheduleStatus

JUST_BEFORE = timedelta(seconds=1)  # instants of a rule are whole seconds


@dataclass(frozen=True)
class Following:
    """The next moment of a task, None at its end, and the moments that were passed over."""

    due_at: datetime | None = None
    passed: Miss | None = None


def following(task: TaskRecord, now: datetime) -> Following:
    """The moment after the present one; none for a task without a rule.

    Of several that have passed by now only the latest is left, and that only within its grace:
    neither an outage nor a long run ends in a burst of old work.
    """
    if task.rule is None or task.due_at is None:
        return Following()
    moment = task.moment
    rule = (task.rule, moment.wall, moment.zone, moment.fold)
    first = next_instant(*rule, task.due_at)
    if first is None or first > now:
        return Following(first)
    since = max(task.due_at, now - timedelta(seconds=task.grace))
    due_at = latest_instant(*rule, since, now) or next_instant(*rule, now)
    if due_at == first:
        return Following(first)
    last = latest_instant(*rule, task.due_at, (due_at or now) - JUST_BEFORE) or first
    return Following(due_at, Miss(first, now, _passed_over(first, last)))


def next_moments(task: TaskRecord, count: int, now: datetime) -> list[datetime]:
    """The moments that are still to begin, the next one first."""
    if task.due_at is None:  # it has ended, or will with the run that goes on
        return []
    found = [] if task.status is ScheduleStatus.RUNNING else [task.due_at]
    if task.rule is not None and count > len(found):
        moment, after = task.moment, max(task.due_at, now)
        left = count - len(found)
        found += upcoming(task.rule, moment.wall, moment.zone, moment.fold, after, left)
    return found


def agenda(
    tasks: Iterable[TaskRecord], count: int, now: datetime
) -> list[tuple[datetime, TaskRecord]]:
    """The next moments of all these tasks, in their order."""
    by_next = sorted(tasks, key=lambda task: (task.due_at or now, task.id))
    running = [task for task in by_next if task.status is ScheduleStatus.RUNNING]
    # The first so many moments are all among those of the so many tasks that come first.
    waiting = [task for task in by_next if task.status is ScheduleStatus.PENDING][:count]
    found = [
        (moment, task) for task in (*running, *waiting) for moment in next_moments(task, count, now)
    ]
    return sorted(found, key=lambda each: (each[0], each[1].id))[:count]


def _passed_over(first: datetime, last: datetime) -> str:
    reason = "passed over: a later one was due before it could begin, or it was too late for it"
    if last > first:
        reason += f"; so were those after it, up to {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return reason
