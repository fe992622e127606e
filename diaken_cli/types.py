"""The closed lists of the contract, and the values that travel between rooms."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value", bound="DataclassInstance")

AUTOMATIC_SNAPSHOT_PREFIX = "Before executing"
CONNECTION_VARIABLES = (
    *("ansible_host", "ansible_port", "ansible_connection", "inventory_hostname"),
    *("ansible_ssh_host", "ansible_ssh_port"),  # their older names, which still win over them
)
"""Which machine Ansible connects to: as extra variables these would repoint every host."""
CANCELED_MESSAGE = "canceled"
"""The message of a host on which Ansible was stopped; where between two tasks, it has no other."""


class RunKind(StrEnum):
    """What a run did."""

    DEPLOY = "deploy"
    PLAYBOOK = "playbook"
    SNAPSHOT = "snapshot"


class RunStatus(StrEnum):
    """How a run stands; `interrupted`: its process died; `paused`: it waits to be resumed."""

    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"
    INTERRUPTED = "interrupted"
    PAUSED = "paused"


class Trigger(StrEnum):
    """Who started a run."""

    MANUAL = "manual"
    SCHEDULE = "schedule"


class TargetType(StrEnum):
    """What a run is about."""

    VM = "vm"
    HOST = "host"
    GROUP = "group"
    ENVIRONMENT = "environment"


class DeployStep(StrEnum):
    """The steps of a deploy, by the names that its record has."""

    VALIDATE = "validate"
    REGISTER = "register"
    CLONE = "clone"
    POWER_ON = "power_on"
    WAIT_ADDRESS = "wait_address"
    PROVISION = "provision"
    ACTIVATE = "activate"


class StepStatus(StrEnum):
    """How a step of a run stands."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"


class HostStatus(StrEnum):
    """What a run did on one host.

    `aborted`: Ansible went on with no more of its plays there, because of other hosts; `skipped`:
    no play reached it.
    """

    SUCCESS = "success"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    ABORTED = "aborted"
    SKIPPED = "skipped"


class TaskResult(StrEnum):
    """How one Ansible task ended on one host, in Ansible's own words."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    IGNORED = "ignored"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"


class ScheduleStatus(StrEnum):
    """How a scheduled task stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    MISSED = "missed"


class SnapshotStatus(StrEnum):
    """What became of a snapshot."""

    SUCCESS = "success"
    REMOVED = "removed"
    KEPT = "kept"
    PLANNED = "planned"
    FAILED = "failed"
    SKIPPED = "skipped"


class SnapshotAction(StrEnum):
    """What is done with a snapshot."""

    CREATE = "create"
    REVERT = "revert"
    REMOVE = "remove"
    KEEP = "keep"


class SecretKind(StrEnum):
    """Where a vCenter's password comes from."""

    COMMAND = "command"
    FILE = "file"
    ENV = "env"


@dataclass(frozen=True)
class Identity:
    """What marks a VM as made by one run of one database, in the VM's `extraConfig`."""

    database: str
    run: str

    def as_extra_config(self) -> dict[str, str]:
        """The keys and values as they stand in the VM."""
        return {"diaken.database": self.database, "diaken.run": self.run}


@dataclass(frozen=True)
class HostCounters:
    """Ansible's own counters of one host (`playbook_on_stats`).

    `ok` has the `ignored` ones, too: failures that the playbook ignores.
    """

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class HostResult:
    """What a step, or a whole run, did on one host.

    A step that finds a failure counts it in `counters.failed`; see `canceled`.
    """

    host: str
    ip: str
    status: HostStatus
    counters: HostCounters = HostCounters()
    failed_task: str | None = None
    message: str | None = None

    @classmethod
    def canceled_in(cls, host: str, ip: str, task: str, message: str) -> "HostResult":
        """The result of a host that was in that task, or step, when the run was canceled."""
        return cls(host, ip, HostStatus.FAILED, failed_task=task, message=message)

    @property
    def canceled(self) -> bool:
        """Whether the run was canceled while the host was in `failed_task`, or between two tasks.

        In the contract's list of statuses it has failed, though no task of it has.
        """
        failures = self.counters.failed + self.counters.unreachable
        cut_off = self.failed_task is not None or self.message == CANCELED_MESSAGE
        return self.status is HostStatus.FAILED and cut_off and not failures


@dataclass(frozen=True)
class Snapshot:
    """One snapshot in a VM's tree; `depth` is 1 for a root, `id` vSphere's reference."""

    vm_uuid: str
    vm: str
    id: str
    name: str
    created_at: datetime
    depth: int
    parent: str | None = None
    size: int | None = None


def to_stored(value: "DataclassInstance") -> dict[str, Any]:
    """A JSON column's form of a value: only what differs from its default, and a version."""
    stored: dict[str, Any] = {"v": 1}
    for field in fields(value):
        content = getattr(value, field.name)
        if content != field.default and content not in ({}, ()):
            stored[field.name] = list(content) if isinstance(content, tuple) else content
    return stored


def from_stored(kind: type[Value], stored: dict[str, Any]) -> Value:
    """The value of that kind that `to_stored` made this of."""
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items() if k != "v"}
    )
