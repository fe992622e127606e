"""The next moments of tasks, and whether the scheduler keeps up with them.

A rule goes on from its last moment: what an outage has passed over is not made up for.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from diaken_cli.store import Store
from diaken_cli.store.schedules import FOR_GOOD, MissedMomentRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import latest_instant, next_instant, upcoming
from diaken_cli.types import ScheduleStatus

JUST_BEFORE = timedelta(seconds=1)  # instants of a rule are whole seconds


@dataclass(frozen=True)
class NextMoment:
    """The next moment of a task, None at its end, and the moments that were passed over."""

    due_at: datetime | None = None
    passed: MissedMomentRecord | None = None


def next_moment(task: TaskRecord, now: datetime) -> NextMoment:
    """The moment after the present one; none for a task without a rule, or whose zone is lost.

    Of several that have passed by now only the latest counts, and only within its grace: after an
    outage or a long run no old moments are executed one after another.
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
    return NextMoment(due_at, MissedMomentRecord(first, now, _passed_over(first, last)))


def next_moments(task: TaskRecord, count: int, now: datetime) -> list[datetime]:
    """The next moments of a task that have not begun, at most `count`, in their order."""
    if task.due_at is None:  # it has ended, or will with the run that goes on
        return []
    moments = [] if task.status is ScheduleStatus.RUNNING else [task.due_at]
    if task.rule is not None and count > len(moments) and not task.zone_is_lost:
        after = max(task.due_at, now)
        moments += upcoming(task.rule, task.moment, after, count - len(moments))
    return moments


@dataclass(frozen=True)
class Agenda:
    """Moments of several tasks in their order; `left_out` are tasks with more in between."""

    moments: list[tuple[datetime, TaskRecord]]
    left_out: list[TaskRecord]


def agenda(tasks: Iterable[TaskRecord], count: int, now: datetime) -> Agenda:
    """The next `count` moments of all these tasks."""
    coming = ((at, task) for task, moments in _next_of_each(tasks, count, now) for at in moments)
    return Agenda(_in_order(coming)[:count], [])


def fair_agenda(tasks: Iterable[TaskRecord], count: int, now: datetime) -> Agenda:
    """The next moment of each task, then the second one of each, and so on, `count` in all.

    So a task of each minute does not hide the others.
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
    """For each task the next moments that can be among the first `count` of all."""
    by_next = sorted(tasks, key=lambda task: (task.due_at or now, task.id))
    running = [task for task in by_next if task.status is ScheduleStatus.RUNNING]
    # The first so many moments are all among those of the so many tasks that come first.
    waiting = [task for task in by_next if task.status is ScheduleStatus.PENDING][:count]
    return [(task, next_moments(task, count, now)) for task in (*running, *waiting)]


def _in_order(moments: Iterable[tuple[datetime, TaskRecord]]) -> list[tuple[datetime, TaskRecord]]:
    return sorted(moments, key=lambda entry: (entry[0], entry[1].id))


def _passed_over(first: datetime, last: datetime) -> str:
    reason = "skipped: the next one was due before it could start, or it was too late"
    if last > first:
        reason += f"; so were the following ones, up to {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return reason


def lost_zone(task: TaskRecord) -> str | None:
    """Why a task is not started, and the way out; None where its zone is known."""
    if not task.zone_is_lost:
        return None
    return (
        f"will not run: this machine no longer knows the time zone {task.moment.zone}; set another"
        f" one: diaken schedule set {shlex.quote(task.name)} --timezone ZONE"
    )


def lost_zones(tasks: Iterable[TaskRecord]) -> list[str]:
    """A line for each of the tasks whose zone is lost."""
    return [f"{task.name}: {lost}" for task in tasks if (lost := lost_zone(task)) is not None]


# ── whether ticks come ───────────────────────────────────────────────────────────────────────


LATE = timedelta(minutes=3)  # cron ticks each minute


@dataclass(frozen=True)
class SchedulerStatus:
    """Ticks, tasks and the pause; `paused_until` is `FOR_GOOD` where the pause has no end."""

    last_tick: datetime | None
    late: bool
    due: int
    running: int
    next: TaskRecord | None
    paused_until: datetime | None

    @property
    def paused_for_good(self) -> bool:
        """Whether only `scheduler resume` ends the pause."""
        return self.paused_until == FOR_GOOD


def last_tick(store: Store) -> datetime | None:
    """When a tick last began; None where there was never one."""
    try:
        return datetime.fromtimestamp(store.beside("tick").stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def is_late(ticked_at: datetime | None, now: datetime) -> bool:
    """Whether cron should have called a tick since."""
    return ticked_at is None or now - ticked_at > LATE


def scheduler_status(store: Store, now: datetime) -> SchedulerStatus:
    """The status of the scheduler now."""
    ticked_at = last_tick(store)
    tasks = store.schedules.tasks(include_ended=False)
    pending = [task for task in tasks if task.status is ScheduleStatus.PENDING and task.due_at]
    return SchedulerStatus(
        last_tick=ticked_at,
        late=is_late(ticked_at, now),
        due=sum(task.due_at is not None and task.due_at <= now for task in pending),
        running=store.schedules.running_count(),
        next=min(pending, key=lambda task: (task.due_at or now, task.id), default=None),
        paused_until=store.schedules.paused_until(now),
    )
