"""`scheduler status`: whether cron ticks, and what it has to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from diaken_cli.store import Store
from diaken_cli.store.schedules import FOR_GOOD
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import ScheduleStatus

LATE = timedelta(minutes=3)  # cron ticks each minute


@dataclass(frozen=True)
class SchedulerStatus:
    """How the scheduler stands; `paused_until` is `FOR_GOOD` where there is no end to it."""

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


def status(store: Store, now: datetime) -> SchedulerStatus:
    """How the scheduler stands now."""
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
