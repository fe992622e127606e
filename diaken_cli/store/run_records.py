"""The records of runs, as they leave and enter the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from diaken_cli.types import (
    HostResult,
    RunKind,
    RunStatus,
    SnapshotStatus,
    StepStatus,
    TargetType,
    TaskResult,
    Trigger,
)

MAYBE_OFF = "maybe_off"
"""The fact of a step that goes on: the hosts whose VMs were on and may be off, by their names."""
POWER_ON_HINT = "Power on in vCenter what is off."


def maybe_off_message(hosts: Iterable[str]) -> str:
    """What a run says that ended before it had powered them on again."""
    return f"VMs that were on before may be off: {', '.join(hosts)}"


@dataclass(frozen=True)
class StepRecord:
    """A step that was begun; its `position` in the run is its own, its name may come again.

    `batch` is None where the run has one only.
    """

    position: int
    name: str
    status: StepStatus
    started_at: datetime
    finished_at: datetime | None
    detail: str | None
    facts: dict[str, Any]
    batch: int | None = None

    @property
    def worked_until(self) -> datetime | None:
        """When its own work ended, before it was undone; None where that is not known."""
        if "worked_until" not in self.facts or self.status is not StepStatus.UNDONE:
            return self.finished_at
        known = self.facts["worked_until"]
        return None if known is None else datetime.fromisoformat(known).astimezone(UTC)


@dataclass(frozen=True)
class SnapshotRecord:
    """A snapshot that a run took, or could not take; `removed_by` is the run that removed it."""

    host: str
    name: str | None
    status: SnapshotStatus
    id: str | None
    error: str | None
    removed_by: int | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run as a list shows it; `task` is the scheduled task that started it.

    `idle_seconds` lay between its attempts, where it was resumed or aborted.
    `without_snapshot` counts the hosts of which it was to take a snapshot, and did not;
    `with_snapshot` the others, and is None where it was to take none.
    """

    id: int
    uid: str
    kind: RunKind
    target_type: TargetType
    target: str
    environment: str | None
    playbook: str | None
    status: RunStatus
    trigger: Trigger
    task: str | None
    user: str
    node: str
    pid: int
    lock: str | None
    request: dict[str, Any]
    error: dict[str, Any] | None
    started_at: datetime
    finished_at: datetime | None
    paused_until: datetime | None
    hosts: int
    ok_hosts: int
    failed_hosts: int
    unreachable_hosts: int
    skipped_hosts: int
    aborted_hosts: int
    idle_seconds: float = 0
    without_snapshot: int = 0
    with_snapshot: int | None = None
    leftovers: tuple[StepRecord, ...] = ()


@dataclass(frozen=True)
class RunDetail:
    """A run with all that was recorded of it, but for the output."""

    run: RunRecord
    steps: tuple[StepRecord, ...] = ()
    hosts: tuple[HostResult, ...] = ()
    snapshots: tuple[SnapshotRecord, ...] = ()

    @property
    def identity_left(self) -> bool:
        """Whether the VM of a deploy that is a success may still bear the run's identity."""
        return self.run.status is RunStatus.SUCCESS and self.run.leftovers != ()


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list; None and empty mean "any"."""

    status: RunStatus | None = None
    kind: RunKind | None = None
    host: str | None = None
    group: str | None = None
    environment: str | None = None
    playbook: str | None = None
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


RecordedSnapshot = tuple[str, str, str]  # vCenter, instance UUID of the VM in small letters, id
Chunk = tuple[int, str, int]  # of a run's output: position of the step, host, number


@dataclass(frozen=True)
class OutputLine:
    """One task's result on one host, as `history output` shows it."""

    host: str
    playbook: str
    play: str
    task: str
    item: str | None
    result: TaskResult
    at: datetime
    seconds: float
    message: str | None
    text: str
