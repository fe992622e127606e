"""What happened, in the past tense: the facts that travel up to the recorder and the renderers.

`type` and the field names are a contract (`--output jsonl`): fields are only added.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from diaken_cli.types import (
    HostResult,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TaskResult,
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class _Event:
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, kw_only=True)
class RunWaiting(_Event):
    """A run waits for hosts that another run, `held_by`, has locked.

    `message` says which host, whose run and since when. It waits no longer than `seconds`.
    """

    type: ClassVar[str] = "run_waiting"
    held_by: int
    message: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunStarted(_Event):
    """A run was recorded and holds its locks.

    `action` is what a run of kind `snapshot` does; `check` says that Ansible changes nothing.
    """

    type: ClassVar[str] = "run_started"
    run: int
    kind: RunKind
    target: str
    hosts: tuple[str, ...]
    playbook: str | None = None
    action: str | None = None
    check: bool = False


@dataclass(frozen=True, kw_only=True)
class RunWithdrawn(_Event):
    """A run's record was removed: it was refused before it changed anything."""

    type: ClassVar[str] = "run_withdrawn"
    run: int


@dataclass(frozen=True, kw_only=True)
class _StepEvent(_Event):
    """Of a step: its name may come again, so `position` says which it is.

    That is counted from 0; the `id` of the step in the record of its run is one more. `batch` is
    counted from 1, and None where the run has one only.
    """

    step: str
    position: int
    batch: int | None = None


@dataclass(frozen=True, kw_only=True)
class StepStarted(_StepEvent):
    """A step, or its undoing, started; `detail` says what it does."""

    type: ClassVar[str] = "step_started"
    detail: str | None = None
    undoing: bool = False


@dataclass(frozen=True, kw_only=True)
class StepProgressed(_StepEvent):
    """A step made progress; `percent` is 0-100, if vCenter reports it."""

    type: ClassVar[str] = "step_progressed"
    percent: int | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepFinished(_StepEvent):
    """A step ended, or was undone; `canceled`: the run was stopped during it."""

    type: ClassVar[str] = "step_finished"
    status: StepStatus
    detail: str | None = None
    duration_seconds: float | None = None
    canceled: bool = False


@dataclass(frozen=True, kw_only=True)
class PlayStarted(_Event):
    """Ansible started a play."""

    type: ClassVar[str] = "play_started"
    playbook: str
    play: str


@dataclass(frozen=True, kw_only=True)
class TaskStarted(_Event):
    """Ansible started a task, for all hosts of the play."""

    type: ClassVar[str] = "task_started"
    playbook: str
    play: str
    task: str
    action: str


@dataclass(frozen=True, kw_only=True)
class TaskFinished(_Event):
    """Ansible ended a task (or one item of its loop) on one host.

    `text` is what Ansible itself prints of the result, `message` the reason of a failure,
    `printed` what the playbook wants to be seen: a message of `debug`, a diff.
    """

    type: ClassVar[str] = "task_finished"
    playbook: str
    play: str
    task: str
    action: str
    host: str
    result: TaskResult
    item: str | None = None
    duration_seconds: float = 0.0
    message: str | None = None
    text: str = ""
    printed: str | None = None


@dataclass(frozen=True, kw_only=True)
class HostFinished(_Event):
    """A run is done with one host.

    `canceled`: the run was, before this host was done, or begun.
    """

    type: ClassVar[str] = "host_finished"
    result: HostResult
    canceled: bool = False


@dataclass(frozen=True, kw_only=True)
class SnapshotFinished(_Event):
    """A snapshot was taken, removed or reverted to, or that failed; `action` says which."""

    type: ClassVar[str] = "snapshot_finished"
    action: SnapshotAction = SnapshotAction.CREATE
    host: str
    vcenter: str | None
    name: str
    status: SnapshotStatus
    id: str | None = None
    vm_uuid: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class SnapshotWithheld(SnapshotFinished):
    """One that was not taken only because there can be none of another host of the run."""


@dataclass(frozen=True, kw_only=True)
class Warned(_Event):
    """A warning; the run continues."""

    type: ClassVar[str] = "warning"
    message: str
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunFinished(_Event):
    """A run ended; its record is complete."""

    type: ClassVar[str] = "run_finished"
    run: int
    status: RunStatus


Event = (
    RunWaiting
    | RunStarted
    | RunWithdrawn
    | StepStarted
    | StepProgressed
    | StepFinished
    | PlayStarted
    | TaskStarted
    | TaskFinished
    | HostFinished
    | SnapshotFinished
    | Warned
    | RunFinished
)
Emit = Callable[[Event], None]
