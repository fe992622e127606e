"""The next moment of a task: a rule goes on from the one before, never back into an outage."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from diaken_cli.store.schedules import MissedMoment
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import latest_instant, next_instant, upcoming
from diaken_cli.types import ScheduleStatus

JUST_BEFORE = timedelta(seconds=1)  # instants of a rule are whole seconds


@dataclass(frozen=True)
class NextMoment:
    """The next moment of a task, None at its end, and the moments that were passed over."""

    due_at: datetime | None = None
    passed: MissedMoment | None = None


def following(task: TaskRecord, now: datetime) -> NextMoment:
    """The moment after the present one; none for a task without a rule, or whose zone is lost.

    Of several that have passed by now only the latest is left, and that only within its grace:
    neither an outage nor a long run ends in a burst of old work.
    """
    if task.rule is None or task.due_at is None or task.zone_is_lost:
        return NextMoment()
    rule = (task.rule, task.moment)
    first = next_instant(*rule, task.due_at)
    if first is None or first > now:
        return NextMoment(first)
    since = max(task.due_at, now - timedelta(seconds=task.grace))
    due_at = latest_instant(*rule, since, now) or next_instant(*rule, now)
    if due_at == first:
        return NextMoment(first)
    last = latest_instant(*rule, task.due_at, (due_at or now) - JUST_BEFORE) or first
    return NextMoment(due_at, MissedMoment(first, now, _passed_over(first, last)))


def next_moments(task: TaskRecord, count: int, now: datetime) -> list[datetime]:
    """The moments that are still to begin, the next one first."""
    if task.due_at is None:  # it has ended, or will with the run that goes on
        return []
    moments = [] if task.status is ScheduleStatus.RUNNING else [task.due_at]
    if task.rule is not None and count > len(moments) and not task.zone_is_lost:
        after = max(task.due_at, now)
        moments += upcoming(task.rule, task.moment, after, count - len(moments))
    return moments


@dataclass(frozen=True)
class Agenda:
    """Moments of several tasks in their order, and the tasks that have more in between."""

    moments: list[tuple[datetime, TaskRecord]]
    left_out: list[TaskRecord]


def agenda(tasks: Iterable[TaskRecord], count: int, now: datetime) -> Agenda:
    """The next moments of all these tasks, none left out."""
    coming = ((at, task) for task, moments in _next_of_each(tasks, count, now) for at in moments)
    return Agenda(_in_order(coming)[:count], [])


def fair_agenda(tasks: Iterable[TaskRecord], count: int, now: datetime) -> Agenda:
    """The next moment of each task, then of each the one after it, until there are so many.

    So a task that comes each minute hides no other one.
    """
    coming = _next_of_each(tasks, count + 1, now)
    by_turn = sorted(
        ((turn, at, task) for task, moments in coming for turn, at in enumerate(moments)),
        key=lambda entry: (entry[0], entry[1], entry[2].id),
    )
    shown = _in_order((at, task) for _, at, task in by_turn[:count])
    end = shown[-1][0] if shown else now
    more = {task.id for _, at, task in by_turn[count:] if at < end}
    return Agenda(shown, [task for task, _ in coming if task.id in more])


def _next_of_each(
    tasks: Iterable[TaskRecord], count: int, now: datetime
) -> list[tuple[TaskRecord, list[datetime]]]:
    """The next moments of each task that can be among the first so many of all."""
    by_next = sorted(tasks, key=lambda task: (task.due_at or now, task.id))
    running = [task for task in by_next if task.status is ScheduleStatus.RUNNING]
    # The first so many moments are all among those of the so many tasks that come first.
    waiting = [task for task in by_next if task.status is ScheduleStatus.PENDING][:count]
    return [(task, next_moments(task, count, now)) for task in (*running, *waiting)]


def _in_order(moments: Iterable[tuple[datetime, TaskRecord]]) -> list[tuple[datetime, TaskRecord]]:
    return sorted(moments, key=lambda entry: (entry[0], entry[1].id))


def _passed_over(first: datetime, last: datetime) -> str:
    reason = "passed over: a later one was due before it could begin, or it was too late for it"
    if last > first:
        reason += f"; so were those after it, up to {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return reason


def lost_zone(task: TaskRecord) -> str | None:
    """Why a task is not started, and the way out; None where its zone is known."""
    if not task.zone_is_lost:
        return None
    return (
        f"this machine knows no time zone {task.moment.zone} any more, so it is not started; give"
        f" it another: diaken schedule set {shlex.quote(task.name)} --timezone ZONE"
    )


def lost_zones(tasks: Iterable[TaskRecord]) -> list[str]:
    """A line for each of the tasks whose zone is lost."""
    return [f"{task.name}: {lost}" for task in tasks if (lost := lost_zone(task)) is not None]
