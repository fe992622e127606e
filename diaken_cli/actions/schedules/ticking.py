"""`scheduler tick`: ends what died, skips moments that are too late, starts each due one once."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from diaken_cli import units
from diaken_cli.actions.schedules.executing import (
    Blocked,
    Child,
    MomentResult,
    StorageFailed,
    limit_hosts,
    read_answer,
    record_end,
    start_child,
    wait_for_answers,
)
from diaken_cli.actions.schedules.moments import lost_zone, next_moment
from diaken_cli.caller import now
from diaken_cli.context import Context
from diaken_cli.runs.dead_runs import end_all_orphans, reap
from diaken_cli.stop import Stop
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import is_too_late
from diaken_cli.types import ScheduleStatus, TargetType

if TYPE_CHECKING:
    from diaken_cli.errors import ConfigurationError


@dataclass
class TickResult:
    """The moments that a tick executed or ended, in the order in which they ended."""

    moments: list[MomentResult] = field(default_factory=list)

    @property
    def runs(self) -> list[int]:
        """The runs that this tick carried out or ended."""
        return [moment.run for moment in self.moments if moment.run is not None]

    @property
    def bad(self) -> list[MomentResult]:
        """What failed or was missed."""
        return [moment for moment in self.moments if moment.is_bad]


def tick(
    context: Context, notify: Callable[[MomentResult], None], warn: Callable[[str], None]
) -> TickResult:
    """Execute what is due now, and wait until it has ended.

    What becomes due meanwhile, or can't start yet, is left to the next tick, a minute later: so
    this one ends with what it began, and cron's mail goes out then.

    `notify` is called with each moment as soon as it has ended, for the tick may die later; `warn`
    with what runs that died have left on their hosts and that could not be ended.

    Each moment has a process of its own, which goes on and records its end where the tick dies.
    Raises Canceled when the tick is stopped, after its children were stopped and have ended;
    ConfigurationError where the database refused what a child had to write.
    """
    work = _Tick(context, notify, warn)
    stop = context.stop
    with stop.deferred():
        work.settle_dead(stop)
        work.start_what_is_due(stop)
        while work.children and not stop.requested():
            work.collect(stop.requested)
        for pid in work.children:
            os.kill(pid, signal.SIGTERM)
        while work.children:  # each of them ends by itself, undone where it has to be
            work.collect(lambda: False)
        stop.check()
        work.settle_dead(stop)  # of its own children, too
    if work.broken is not None:
        raise work.broken
    return work.result


class _Tick:
    """The children of one tick, and the results of their moments."""

    def __init__(
        self, context: Context, notify: Callable[[MomentResult], None], warn: Callable[[str], None]
    ) -> None:
        self.result = TickResult()
        self._notify = notify
        self._warn = warn
        self.children: dict[int, Child] = {}
        self.broken: ConfigurationError | None = None
        self._context = context
        self._store = context.store

    def settle_dead(self, stop: Stop) -> None:
        """Record the end of moments whose process died: their runs are `interrupted` by now."""
        reap(self._store)
        end_all_orphans(self._store, self._warn, stop.requested)
        for task in self._store.schedules.unsettled():
            result = None if task.last_run is None else record_end(self._store, task, task.last_run)
            if result is not None:
                self._note(result)

    def start_what_is_due(self, stop: Stop) -> None:
        """Start what is due and can start; what is too late is missed, with the reason."""
        at = now()
        obstacles = _Obstacles(self._context)
        waiting = self._store.schedules.due(at)
        while waiting and not stop.requested():
            task = waiting.pop(0)
            if (lost := lost_zone(task)) is not None:
                self._note_lost_zone(task, lost)
                continue
            if task.due_at is not None and is_too_late(task.due_at, task.grace, at):
                later = self._miss(task, at)
                waiting += [] if later is None else [later]
                continue
            obstacle = obstacles.of(task)
            if obstacle is None:
                child = start_child(self._context, task, self.children.values())
                self.children[child.pid] = child
                obstacles.add(task)
            elif obstacle != task.error:
                self._store.schedules.note_obstacle(task, obstacle)

    def _note_lost_zone(self, task: TaskRecord, lost: str) -> None:
        """Leave the task as it is until its time zone is known again; warn once a day."""
        if task.error != lost:
            self._store.schedules.note_obstacle(task, lost)
        if self._store.notices.should_notify(f"zone:{task.id}:{task.moment.zone}", now()):
            self._warn(f"{task.name}: {lost}")

    def collect(self, should_stop: Callable[[], bool]) -> None:
        """Wait until a child answers, or `should_stop` is true, and process the answers."""
        for child in wait_for_answers(self.children.values(), should_stop):
            del self.children[child.pid]
            match read_answer(child):
                case MomentResult() as result:
                    self._note(result)
                case Blocked(reason):
                    self._store.schedules.note_obstacle(child.task, reason)
                case StorageFailed(error):
                    self.broken = error
                case None:  # where the child died, `settle_dead` records the end of its run
                    pass

    def _miss(self, task: TaskRecord, at: datetime) -> TaskRecord | None:
        """Record a missed moment; the task again where a later moment of it is due already."""
        late = int((at - (task.due_at or at)).total_seconds())
        allowed = units.duration_in_words(task.grace)
        reason = f"{units.duration_in_words(late)} late (allowed: {allowed})"
        if task.error:
            reason += f"; it could not start: {task.error}"
        coming = next_moment(task, at)
        if not self._store.schedules.miss(task, reason, coming.due_at, at, coming.passed):
            return None  # another tick was first
        if coming.passed is not None:
            reason += "; later run times were skipped"
        self._note(MomentResult(task.name, None, ScheduleStatus.MISSED, reason))
        if coming.due_at is None or coming.due_at > at:
            return None
        return replace(task, due_at=coming.due_at, error=reason)

    def _note(self, result: MomentResult) -> None:
        self.result.moments.append(result)
        self._notify(result)


class _Obstacles:
    """Why tasks can't start now: no free slot, or locked hosts.

    This only avoids child processes that could not begin: `claim` decides.
    """

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._most = context.config.scheduler.max_running
        self._locked = self._store.runs.locked()
        self._starting: set[int] = set()  # the hosts of the children that were just made
        self._slots = self._most - self._store.schedules.running_count()

    def of(self, task: TaskRecord) -> str | None:
        """Why a task can't begin, or None."""
        if self._slots <= 0:
            return (
                f"the limit of {self._most} scheduled runs is reached (`[scheduler] max_running`)"
            )
        if not self._locked and not self._starting:
            return None
        for host, name in self._hosts(task):
            if host in self._locked:
                return f"host {name} is locked by run {self._locked[host]}"
            if host in self._starting:
                return f"host {name} is locked by another task that is due"
        return None

    def add(self, task: TaskRecord) -> None:
        """Count a task that is started now: it takes a slot, and its hosts."""
        self._slots -= 1
        self._starting.update(host for host, _ in self._hosts(task))

    def _hosts(self, task: TaskRecord) -> list[tuple[int, str]]:
        if task.target_id is None:
            return []
        if task.target_type is TargetType.HOST:
            return [(task.target_id, task.target)]
        hosts = self._store.inventory.hosts(group_id=task.target_id)
        return [(host.id, host.name) for host in limit_hosts(self._store, task, hosts)]
