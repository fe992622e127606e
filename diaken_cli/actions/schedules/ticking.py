"""`scheduler tick`: settle what died, give up what is too late, start what is due, each once."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from diaken_cli import units
from diaken_cli.actions.schedules.children import (
    Blocked,
    Child,
    MomentResult,
    StorageFailed,
    read_answer,
    start,
    wait,
)
from diaken_cli.actions.schedules.executing import chosen, settle
from diaken_cli.actions.schedules.moments import following, lost_zone
from diaken_cli.caller import now
from diaken_cli.context import Context
from diaken_cli.errors import ConfigurationError
from diaken_cli.runs import remains
from diaken_cli.runs.settle import reap
from diaken_cli.stop import Stop
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import misfired
from diaken_cli.types import ScheduleStatus, TargetType


@dataclass
class TickResult:
    """What a tick did: each moment, in the order in which they ended."""

    moments: list[MomentResult] = field(default_factory=list)

    @property
    def runs(self) -> list[int]:
        """The runs that this tick carried out or settled."""
        return [moment.run for moment in self.moments if moment.run is not None]

    @property
    def bad(self) -> list[MomentResult]:
        """What failed or was missed."""
        return [moment for moment in self.moments if moment.is_bad]


def tick(
    context: Context, notify: Callable[[MomentResult], None], warn: Callable[[str], None]
) -> TickResult:
    """Carry out what is due now, and wait for the end of it.

    What becomes due meanwhile, and what can't start yet, is the next tick's, a minute later: so
    this one ends when what it began has ended, and cron's mail goes out then.

    `notify` hears of each moment as soon as it has ended: a tick that dies later has told of it;
    `warn` of what a run that died has left on its hosts and could not be ended.

    Each moment has a process of its own, which goes on and records its end where the tick dies.
    Raises Canceled when it is stopped: its children are stopped, too, and have been waited for.
    Raises ConfigurationError where the database refused what a child had to write.
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
        raise ConfigurationError(work.broken)
    return work.result


class _Tick:
    """The children of one tick, and what became of them."""

    def __init__(
        self, context: Context, notify: Callable[[MomentResult], None], warn: Callable[[str], None]
    ) -> None:
        self.result = TickResult()
        self._notify = notify
        self._warn = warn
        self.children: dict[int, Child] = {}
        self.broken: str | None = None
        self._context = context
        self._store = context.store

    def settle_dead(self, stop: Stop) -> None:
        """Account for the moments whose process died: their runs are `interrupted` by now."""
        reap(self._store)
        remains.end_all(self._store, self._warn, stop.requested)
        for task in self._store.schedules.unsettled():
            settled = None if task.last_run is None else settle(self._store, task, task.last_run)
            if settled is not None:
                self._note(MomentResult(task.name, settled.run, settled.outcome, settled.news))

    def start_what_is_due(self, stop: Stop) -> None:
        """Begin what is due and may begin; what is too late is missed, with the reason."""
        at = now()
        obstacles = _Obstacles(self._context)
        waiting = self._store.schedules.due(at)
        while waiting and not stop.requested():
            task = waiting.pop(0)
            if (lost := lost_zone(task)) is not None:
                self._note_lost_zone(task, lost)
                continue
            if task.due_at is not None and misfired(task.due_at, task.grace, at):
                later = self._miss(task, at)
                waiting += [] if later is None else [later]
                continue
            obstacle = obstacles.of(task)
            if obstacle is None:
                child = start(self._context, task, self.children.values())
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
        """Wait for a child to end, and read its answer; or until it is time to look again."""
        for child in wait(self.children.values(), should_stop):
            del self.children[child.pid]
            match read_answer(child):
                case MomentResult() as result:
                    self._note(result)
                case Blocked(reason):
                    self._store.schedules.note_obstacle(child.task, reason)
                case StorageFailed(reason):
                    self.broken = reason
                case None:  # where it died, what it had begun is settled at the end
                    pass

    def _miss(self, task: TaskRecord, at: datetime) -> TaskRecord | None:
        """Give up a moment: the task where a later one, in its place, is due already."""
        late = int((at - (task.due_at or at)).total_seconds())
        allowed = units.duration_in_words(task.grace)
        reason = f"{units.duration_in_words(late)} late (allowed: {allowed})"
        if task.error:
            reason += f"; what stood in the way: {task.error}"
        next_moment = following(task, at)
        if not self._store.schedules.miss(task, reason, next_moment.due_at, at, next_moment.passed):
            return None  # another tick was first
        if next_moment.passed is not None:
            reason += "; later moments of it were passed over"
        self._note(MomentResult(task.name, None, ScheduleStatus.MISSED, reason))
        if next_moment.due_at is None or next_moment.due_at > at:
            return None
        return replace(task, due_at=next_moment.due_at, error=reason)

    def _note(self, result: MomentResult) -> None:
        self.result.moments.append(result)
        self._notify(result)


class _Obstacles:
    """What keeps tasks from starting now; only a look, so that no process is started in vain.

    It is the claim that decides.
    """

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._most = context.config.scheduler.max_running
        self._locked = self._store.runs.locked()
        self._begin_now: set[int] = set()  # the hosts of the children that were just made
        self._slots = self._most - self._store.schedules.running_count()

    def of(self, task: TaskRecord) -> str | None:
        """Why a task can't begin, or None."""
        if self._slots <= 0:
            return f"{self._most} scheduled runs go on, as many as `[scheduler] max_running` has"
        if not self._locked and not self._begin_now:
            return None
        for host, name in self._hosts(task):
            if host in self._locked:
                return f"host {name} is locked by run {self._locked[host]}"
            if host in self._begin_now:
                return f"host {name} is locked by another task that is due"
        return None

    def add(self, task: TaskRecord) -> None:
        """Count a task that begins now: it may be an obstacle for those after it."""
        self._slots -= 1
        self._begin_now.update(host for host, _ in self._hosts(task))

    def _hosts(self, task: TaskRecord) -> list[tuple[int, str]]:
        if task.target_id is None:
            return []
        if task.target_type is TargetType.HOST:
            return [(task.target_id, task.target)]
        hosts = self._store.inventory.hosts(group_id=task.target_id)
        return [(host.id, host.name) for host in chosen(self._store, task, hosts)]
