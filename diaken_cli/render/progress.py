"""The progress of a run, collected from its events, for the live view."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import assert_never

from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunFinished,
    RunStarted,
    RunWaiting,
    RunWithdrawn,
    SnapshotFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
    TaskFinished,
    TaskStarted,
    Warned,
)
from diaken_cli.render.formatting import run_title
from diaken_cli.types import HostStatus, RunStatus, StepStatus, TaskResult

RECENT = 5  # results that are remembered
BAD = (TaskResult.FAILED, TaskResult.UNREACHABLE)


class Urgency(IntEnum):
    """Which hosts to look at first."""

    BAD = 0
    CANCELED = 1
    BUSY = 2
    WAITING = 3
    DONE = 4


@dataclass
class StepProgress:
    """A step that was begun; `percent` is 0-100 where it is known.

    While a step is undone, this is its undoing, and `done` the step as it had ended before.
    """

    name: str
    began: datetime
    detail: str | None
    status: StepStatus = StepStatus.RUNNING
    canceled: bool = False  # in this step someone stopped the run
    percent: int | None = None
    ended: datetime | None = None
    done: "StepProgress | None" = None


@dataclass
class HostProgress:
    """A host of the run: its present or last task, and what its tasks came to so far."""

    name: str
    status: str = "waiting"  # then running, then a HostStatus or canceled
    task: str | None = None
    last: str | None = None  # how its last task ended, until it is known what all came to
    busy: bool = False  # the task has not ended here
    since: datetime | None = None  # when that task began
    ended: datetime | None = None  # when it did
    message: str | None = None
    no_snapshot: str | None = None  # the reason, which `task` has already
    ok: int = 0
    changed: int = 0
    failed: int = 0

    @property
    def urgency(self) -> Urgency:
        """Whether it has a problem, was canceled, is busy, waits, or is done."""
        if self.status in (HostStatus.FAILED, HostStatus.UNREACHABLE, HostStatus.ABORTED):
            return Urgency.BAD
        if self.status == "canceled":
            return Urgency.CANCELED
        if self.status == "waiting":
            return Urgency.WAITING
        return Urgency.BUSY if self.busy else Urgency.DONE


@dataclass
class Progress:
    """The state of a run, as far as its events are known."""

    title: str = ""
    began: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    steps: dict[int, StepProgress] = field(default_factory=dict)  # by position
    hosts: dict[str, HostProgress] = field(default_factory=dict)
    play: str | None = None
    task: str | None = None
    tasks: int = 0
    recent: deque[TaskFinished] = field(default_factory=lambda: deque(maxlen=RECENT))

    def note(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case RunStarted():
                self.title, self.began = run_title(event), event.at
                self.hosts = {name: HostProgress(name) for name in event.hosts}
            case StepStarted():
                done = self.steps.get(event.position) if event.undoing else None
                step = StepProgress(event.step, event.at, event.detail, done=done)
                self.steps[event.position] = step
            case StepProgressed() | StepFinished():
                self._note_step(event)
            case PlayStarted():
                self.play, self.task, self.tasks = event.play, None, 0
            case TaskStarted():
                self._begin_task(event)
            case TaskFinished():
                self._end_task(event)
            case HostFinished():
                self._end_host(event)
            case SnapshotFinished():
                self._note_snapshot(event)
            case RunFinished():
                self.status = event.status
            case Warned() | RunWaiting() | RunWithdrawn():
                pass
            case _:
                assert_never(event)

    def _note_step(self, event: StepProgressed | StepFinished) -> None:
        step = self.steps.setdefault(event.position, StepProgress(event.step, event.at, None))
        if isinstance(event, StepFinished) and step.done is not None:
            step = self.steps[event.position] = step.done
            if step.status is StepStatus.FAILED and event.status is StepStatus.UNDONE:
                return  # it goes on saying what stopped the run
        step.detail = event.detail or step.detail
        if isinstance(event, StepProgressed):
            step.percent = event.percent if event.percent is not None else step.percent
        else:
            step.status, step.canceled = event.status, event.canceled
            step.ended = step.ended or event.at  # undoing it later is not its own time

    def _begin_task(self, event: TaskStarted) -> None:
        self.task, self.tasks = event.task, self.tasks + 1
        for host in self.hosts.values():
            if host.status in ("waiting", "running"):
                host.status, host.task, host.busy = "running", event.task, True
                host.since, host.ended = event.at, None

    def _end_task(self, event: TaskFinished) -> None:
        self.recent.append(event)
        host = self.hosts.setdefault(event.host, HostProgress(event.host))
        if event.item is not None:
            return
        host.task, host.busy, host.ended = event.task, False, event.at
        host.last = event.result.value
        host.ok += event.result in (TaskResult.OK, TaskResult.CHANGED, TaskResult.IGNORED)
        host.changed += event.result is TaskResult.CHANGED
        if event.result in BAD:
            host.failed += event.result is TaskResult.FAILED
            host.status = event.result.value
            host.message = event.message
        elif host.status == TaskResult.FAILED:  # it was rescued
            host.failed, host.status, host.message = 0, "running", None

    def _end_host(self, event: HostFinished) -> None:
        result = event.result
        host = self.hosts.setdefault(result.host, HostProgress(result.host))
        if event.canceled and result.status is HostStatus.SKIPPED:
            return  # it goes on waiting
        host.status = "canceled" if event.canceled else result.status.value
        host.last, host.busy = None, False
        host.ended = host.ended or event.at
        host.ok, host.changed = result.counters.ok, result.counters.changed
        host.failed = result.counters.failed
        host.task = result.failed_task or (None if event.canceled else host.task)
        known_already = event.canceled or result.message == host.no_snapshot
        host.message = None if known_already else result.message

    def _note_snapshot(self, event: SnapshotFinished) -> None:
        host = self.hosts.setdefault(event.host, HostProgress(event.host))
        host.no_snapshot = event.error
        host.task = f"{event.action} snapshot: {event.error or event.status}"
