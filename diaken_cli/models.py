"""The tables. No relationship, no method that queries: the store reads and writes them.

All times are aware and in UTC. JSON columns carry `"v": 1` where their shape may change.
History copies names; ids only help, so that a removed host does not take its past along.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from diaken_cli.types import (
    HostStatus,
    RunKind,
    RunStatus,
    ScheduleStatus,
    SecretKind,
    SnapshotStatus,
    StepStatus,
    TargetType,
    Trigger,
)

NO_ROWID = {"sqlite_with_rowid": False}
"""A table of small rows is its primary key's index: a million runs are 35 MB less."""


def _enum_column(kind: type[StrEnum]) -> Any:
    # Without values_callable SQLAlchemy stores the *name*, and raw SQL on 'pending' never matches.
    values = Enum(kind, values_callable=lambda enum: [e.value for e in enum], native_enum=False)
    return Field(sa_column=Column(values, nullable=False))


def _json_column(server_default: str | None = None) -> Any:
    default = None if server_default is None else text(f"'{server_default}'")
    return Field(sa_column=Column(JSON, nullable=False, server_default=default))


def _nullable_json_column() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Meta(SQLModel, table=True):
    """What the database knows of itself: `database_id`, `owner`, `paused_until`."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class Environment(SQLModel, table=True):
    """PROD, TEST …; holds groups and hosts."""

    __tablename__ = "environment"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    vars: dict[str, Any] = _json_column(server_default="{}")


class HostGroup(SQLModel, table=True):
    """A set of hosts in one environment."""

    __tablename__ = "host_group"
    __table_args__ = (
        UniqueConstraint("environment_id", "name"),
        UniqueConstraint("id", "environment_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    environment_id: int = Field(foreign_key="environment.id", ondelete="RESTRICT")
    name: str
    vars: dict[str, Any] = _json_column()


class VCenter(SQLModel, table=True):
    """A named connection; `secret_ref` says where the password is, never what it is."""

    __tablename__ = "vcenter"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    server: str
    username: str
    secret_kind: SecretKind = _enum_column(SecretKind)
    secret_ref: str
    ca_file: str | None = None
    insecure: bool = False
    datacenter: str | None = None


class Host(SQLModel, table=True):
    """A server of the inventory; `vm_uuid` is its VM's instance UUID."""

    __tablename__ = "host"
    __table_args__ = (
        UniqueConstraint("id", "environment_id"),
        Index("ix_host_vm_uuid", "vm_uuid", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    ip: str = Field(unique=True)
    environment_id: int = Field(foreign_key="environment.id", ondelete="RESTRICT")
    vcenter_id: int | None = Field(default=None, foreign_key="vcenter.id", ondelete="RESTRICT")
    vm_uuid: str | None = None
    active: bool = True
    ssh_user: str | None = None
    port: int | None = None
    key: str | None = None
    python: str | None = None
    vars: dict[str, Any] = _json_column()
    description: str | None = None
    created_at: datetime
    deployed_by: int | None = Field(
        default=None,
        # use_alter: host, run and scheduled_task refer to each other in a ring
        sa_column=Column(ForeignKey("run.id", ondelete="SET NULL", use_alter=True)),
    )


class HostGroupMember(SQLModel, table=True):
    """A host in a group of its own environment; at `position` 0 is its main group."""

    __tablename__ = "host_group_member"
    __table_args__ = (
        UniqueConstraint("host_id", "position"),
        ForeignKeyConstraint(
            ["host_id", "environment_id"], ["host.id", "host.environment_id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["group_id", "environment_id"],
            ["host_group.id", "host_group.environment_id"],
            ondelete="RESTRICT",
        ),
        Index("ix_host_group_member_group", "group_id", "environment_id"),
        NO_ROWID,
    )

    host_id: int = Field(primary_key=True)
    group_id: int = Field(primary_key=True)
    environment_id: int
    position: int


class Setting(SQLModel, table=True):
    """A global key and value; every one is passed to every playbook."""

    __tablename__ = "setting"

    key: str = Field(primary_key=True)
    value: Any = _json_column()


class Run(SQLModel, table=True):
    """One recorded operation, with its totals, so that a list never joins.

    `uid` goes to vCenter as the run's identity; `lock` names the lock file of this attempt.
    """

    __tablename__ = "run"
    __table_args__ = (
        Index(
            "ix_run_due",
            "scheduled_task_id",
            "due_at",
            unique=True,
            sqlite_where=text("scheduled_task_id IS NOT NULL"),
        ),
        Index("ix_run_started_at", "started_at"),
        Index("ix_run_status_started_at", "status", "started_at"),
        Index("ix_run_target", "target", "started_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str
    lock: str | None = None
    node: str
    pid: int
    user: str
    trigger: Trigger = _enum_column(Trigger)
    kind: RunKind = _enum_column(RunKind)
    target_type: TargetType = _enum_column(TargetType)
    target: str
    target_id: int | None = None
    environment: str | None = None
    playbook: str | None = None
    scheduled_task_id: int | None = Field(
        default=None, foreign_key="scheduled_task.id", ondelete="SET NULL"
    )
    due_at: datetime | None = None
    request: dict[str, Any] = _json_column()
    status: RunStatus = _enum_column(RunStatus)
    error: dict[str, Any] | None = _nullable_json_column()
    started_at: datetime
    finished_at: datetime | None = None
    hosts: int = 0
    ok_hosts: int = 0
    failed_hosts: int = 0
    unreachable_hosts: int = 0
    skipped_hosts: int = 0
    aborted_hosts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    paused_until: datetime | None = None


class RunStep(SQLModel, table=True):
    """A step that was begun, known by its position in the run: its name may come again.

    `facts` is what undoing and resuming need to know.
    """

    __tablename__ = "run_step"
    __table_args__ = NO_ROWID

    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    name: str
    status: StepStatus = _enum_column(StepStatus)
    started_at: datetime
    finished_at: datetime | None = None
    detail: str | None = None
    facts: dict[str, Any] = _json_column()
    batch: int | None = None


class RunStepHost(SQLModel, table=True):
    """What one step did on one host, with Ansible's counters."""

    __tablename__ = "run_step_host"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "position"], ["run_step.run_id", "run_step.position"], ondelete="CASCADE"
        ),
        NO_ROWID,
    )

    run_id: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    host: str = Field(primary_key=True)
    status: HostStatus = _enum_column(HostStatus)
    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    ignored: int = 0
    failed_task: str | None = None
    message: str | None = None


class RunHost(SQLModel, table=True):
    """What a run did on one host: its steps' results folded into one, for lists."""

    __tablename__ = "run_host"
    __table_args__ = (Index("ix_run_host_host", "host", "run_id"), NO_ROWID)

    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE", primary_key=True)
    host: str = Field(primary_key=True)
    ip: str
    host_id: int | None = None
    status: HostStatus = _enum_column(HostStatus)
    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0
    failed_task: str | None = None
    message: str | None = None
    ignored: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class RunSnapshot(SQLModel, table=True):
    """A snapshot that a run took, kept, removed or could not; `ref` is vSphere's reference."""

    __tablename__ = "run_snapshot"
    __table_args__ = (
        Index("ix_run_snapshot_host", "run_id", "host"),
        Index("ix_run_snapshot_ref", "vcenter", "ref"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE")
    host: str
    vcenter: str | None = None
    vm_uuid: str | None = None
    action: str
    name: str | None = None
    ref: str | None = None
    status: SnapshotStatus = _enum_column(SnapshotStatus)
    error: str | None = None
    at: datetime


class TaskName(SQLModel, table=True):
    """A task of a play of a playbook, interned: all runs share it."""

    __tablename__ = "task_name"
    __table_args__ = (UniqueConstraint("playbook", "play", "task", "action"),)

    id: int | None = Field(default=None, primary_key=True)
    playbook: str
    play: str
    task: str
    action: str


class RunOutput(SQLModel, table=True):
    """A chunk of one host's task results and output; `body` is packed by `store.outputs`."""

    __tablename__ = "run_output"

    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    host: str = Field(primary_key=True)
    chunk: int = Field(primary_key=True)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class HostLock(SQLModel, table=True):
    """A host that a run is changing: two operations never change the same one."""

    __tablename__ = "host_lock"
    __table_args__ = (Index("ix_host_lock_run_id", "run_id"),)

    host_id: int = Field(foreign_key="host.id", ondelete="RESTRICT", primary_key=True)
    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE")


class ScheduledTask(SQLModel, table=True):
    """A playbook to run at a moment; `due_at` is the next one, `wall_at` what was asked for."""

    __tablename__ = "scheduled_task"
    __table_args__ = (
        Index(
            "ix_scheduled_task_name",
            "name",
            unique=True,
            # PostgreSQL's `postgresql_where` beside it would load that dialect in each call.
            sqlite_where=text("status IN ('pending', 'running')"),
        ),
        Index("ix_scheduled_task_due", "status", "due_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    target_type: TargetType = _enum_column(TargetType)
    host_id: int | None = Field(default=None, foreign_key="host.id", ondelete="RESTRICT")
    group_id: int | None = Field(default=None, foreign_key="host_group.id", ondelete="RESTRICT")
    target: str
    environment: str
    playbook: str
    options: dict[str, Any] = _json_column()
    wall_at: str
    timezone: str
    fold: int = 0
    rrule: str | None = None
    grace_s: int
    due_at: datetime | None = None
    status: ScheduleStatus = _enum_column(ScheduleStatus)
    last_run_id: int | None = None
    error: str | None = None


class Missed(SQLModel, table=True):
    """A moment of a task that passed without an execution, and why."""

    __tablename__ = "missed"

    scheduled_task_id: int = Field(
        foreign_key="scheduled_task.id", ondelete="CASCADE", primary_key=True
    )
    due_at: datetime = Field(primary_key=True)
    noticed_at: datetime
    reason: str


class Notice(SQLModel, table=True):
    """A lasting error that was reported: once, then once a day."""

    __tablename__ = "notice"

    key: str = Field(primary_key=True)
    first_at: datetime
    told_at: datetime
