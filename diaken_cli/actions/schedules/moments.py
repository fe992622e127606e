"""The next moment of a task: a rule goes on from the one before, never back into an outage."""

from datetime import datetime, timedelta

from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import next_instant, upcoming


def following(task: TaskRecord, now: datetime) -> datetime | None:
    """The moment after the present one; None for a task without a rule, or at its end.

    What lies further back than the grace is passed over: an outage never ends in a burst of old
    work.
    """
    if task.rule is None or task.due_at is None:
        return None
    after = max(task.due_at, now - timedelta(seconds=task.grace))
    moment = task.moment
    return next_instant(task.rule, moment.wall, moment.zone, moment.fold, after)


def next_moments(task: TaskRecord, count: int) -> list[datetime]:
    """The moments that are still to come, the next one first."""
    if task.due_at is None:
        return []
    moment = task.moment
    later = (
        upcoming(task.rule, moment.wall, moment.zone, moment.fold, task.due_at, count - 1)
        if task.rule is not None and count > 1
        else []
    )
    return [task.due_at, *later]
