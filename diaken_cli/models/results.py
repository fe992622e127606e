"""What a run did: its steps, their results on hosts, snapshots, and what Ansible said."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

import diaken_cli.models.runs  # noqa: F401  # has tables that foreign keys name
from diaken_cli.models import SMALL_ROWS, enum_column, json_column
from diaken_cli.types import HostStatus, SnapshotStatus, StepStatus


class RunStep(SQLModel, table=True):
    """A step that was begun, known by its position in the run: its name may come again.

    `facts` is what undoing and resuming need to know.
    """

    __tablename__ = "run_step"
    __table_args__ = SMALL_ROWS

    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    name: str
    status: StepStatus = enum_column(StepStatus)
    started_at: datetime
    finished_at: datetime | None = None
    detail: str | None = None
    facts: dict[str, Any] = json_column()
    batch: int | None = None


class RunStepHost(SQLModel, table=True):
    """What one step did on one host, with Ansible's counters."""

    __tablename__ = "run_step_host"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "position"], ["run_step.run_id", "run_step.position"], ondelete="CASCADE"
        ),
        SMALL_ROWS,
    )

    run_id: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    host: str = Field(primary_key=True)
    status: HostStatus = enum_column(HostStatus)
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
    __table_args__ = (Index("ix_run_host_host", "host", "run_id"), SMALL_ROWS)

    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE", primary_key=True)
    host: str = Field(primary_key=True)
    ip: str
    host_id: int | None = None
    status: HostStatus = enum_column(HostStatus)
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
    status: SnapshotStatus = enum_column(SnapshotStatus)
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
