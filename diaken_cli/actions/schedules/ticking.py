"""`scheduler tick`: settle what died, give up what is too late, start what is due, each once."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import now, reap
from diaken_cli.actions.schedules.children import (
    Blocked,
    Broken,
    Child,
    Happened,
    hear,
    start,
    wait,
)
from diaken_cli.actions.schedules.executing import chosen, settle
from diaken_cli.actions.schedules.moments import following
from diaken_cli.actions.stopping import Stop
from diaken_cli.errors import ConfigurationError
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import misfired
from diaken_cli.words import ScheduleStatus, TargetType

AGAIN = 2.0  # seconds until what was in the way is looked at again


@dataclass
class Ticked:
    """What a tick did: each moment, in the order in which they ended."""

    moments: list[Happened] = field(default_factory=list)

    @property
    def runs(self) -> list[int]:
        """The runs that this tick carried out or settled."""
        return [each.run for each in self.moments if each.run is not None]

    @property
    def bad(self) -> list[Happened]:
        """What failed or was missed."""
        return [each for each in self.moments if each.is_bad]


def tick(outside: Outside, tell: Callable[[Happened], None]) -> Ticked:
    """Carry out what is due; it ends when nothing due is left that it could start.

    `tell` hears of each moment as soon as it has ended: a tick that dies later has told of it.

    Each moment has a process of its own, which goes on and records its end where the tick dies.
    Raises Canceled when it is stopped: its children are stopped, too, and have been waited for.
    Raises ConfigurationError where the database refused what a child had to write.
    """
    work = _Tick(outside, tell)
    with Stop().heeded() as stop:
        while not stop.requested():
            work.settle_dead()
            if work.start_what_may_begin(stop):
                continue  # in the place of what was missed, a later moment may be due
            if not work.children:
                break
            work.collect(stop)
        for pid in work.children:
            os.kill(pid, signal.SIGTERM)
        patient = Stop()  # each of them ends by itself, undone where it has to be
        while work.children:
            work.collect(patient)
        stop.check()
    if work.broken is not None:
        raise ConfigurationError(work.broken)
    return work.ticked


class _Tick:
    """The children of one tick, and what is known of the moments that it could not start."""

    def __init__(self, outside: Outside, tell: Callable[[Happened], None]) -> None:
        self.ticked = Ticked()
        self._tell = tell
        self.children: dict[int, Child] = {}
        self.broken: str | None = None
        self._outside = outside
        self._store = outside.store
        self._lost: dict[int, float] = {}  # tasks whose child began nothing, and until when

    def settle_dead(self) -> None:
        """Account for the moments whose process died: their runs are `interrupted` by now."""
        reap(self._store)
        for task in self._store.schedules.unsettled():
            settled = None if task.last_run is None else settle(self._store, task, task.last_run)
            if settled is not None:
                self._note(Happened(task.name, settled.run, settled.outcome, settled.error))

    def start_what_may_begin(self, stop: Stop) -> bool:
        """Begin what is due and may begin; what is too late is missed, with the reason.

        Whether something was missed.
        """
        missed = False
        at = now()
        working_on = {child.task.id for child in self.children.values()}
        obstacles = _Obstacles(self._outside, len(self.children))
        for task in self._store.schedules.due(at):
            if task.id in working_on or stop.requested():
                continue
            if task.due_at is not None and misfired(task.due_at, task.grace, at):
                missed |= self._miss(task, at)
            elif self.broken is None and time.monotonic() >= self._lost.get(task.id, 0.0):
                obstacle = obstacles.of(task)
                if obstacle is None:
                    child = start(self._outside, task, stop, self.children.values())
                    self.children[child.pid] = child
                    obstacles.slots -= 1
                elif obstacle != task.error:
                    self._store.schedules.note_obstacle(task, obstacle)
        return missed

    def collect(self, stop: Stop) -> None:
        """Wait for a child to end, and hear what it says; or until it is time to look again."""
        for child in wait(self.children.values(), stop, AGAIN):
            del self.children[child.pid]
            match hear(child):
                case Happened() as happened:
                    self._note(happened)
                case Blocked(reason):
                    self._lost[child.task.id] = time.monotonic() + AGAIN
                    self._store.schedules.note_obstacle(child.task, reason)
                case Broken(reason):
                    self.broken = reason
                case None:  # where it died, what it had begun is settled next
                    self._lost[child.task.id] = time.monotonic() + AGAIN

    def _miss(self, task: TaskRecord, at: datetime) -> bool:
        """Give up a moment; False where another tick was first."""
        late = int((at - (task.due_at or at)).total_seconds())
        reason = f"overdue by {late} s, more than its grace of {task.grace} s"
        if task.error:
            reason += f"; what stood in the way: {task.error}"
        then = following(task, at)
        if not self._store.schedules.miss(task, reason, then.due_at, at, then.passed):
            return False
        if then.passed is not None:
            reason += "; later moments of it were passed over"
        self._note(Happened(task.name, None, ScheduleStatus.MISSED, reason))
        return True

    def _note(self, happened: Happened) -> None:
        self.ticked.moments.append(happened)
        self._tell(happened)


class _Obstacles:
    """What stands in the way now; a look only, so that no process is made in vain.

    It is the claim that decides.
    """

    def __init__(self, outside: Outside, children: int) -> None:
        self._store = outside.store
        self._most = outside.config.scheduler.max_running
        self._locked = self._store.claims.locked()
        self.slots = self._most - max(children, self._store.schedules.running_count())

    def of(self, task: TaskRecord) -> str | None:
        """Why a task can't begin, or None."""
        if self.slots <= 0:
            return f"{self._most} scheduled runs go on, as many as `[scheduler] max_running` has"
        if not self._locked:
            return None
        for host, name in self._hosts(task):
            if host in self._locked:
                return f"host {name} is locked by run {self._locked[host]}"
        return None

    def _hosts(self, task: TaskRecord) -> list[tuple[int, str]]:
        if task.target_id is None:
            return []
        if task.target_type is TargetType.HOST:
            return [(task.target_id, task.target)]
        hosts = self._store.inventory.hosts(group_id=task.target_id)
        return [(each.id, each.name) for each in chosen(task, hosts)]
