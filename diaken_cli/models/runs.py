"""Runs, and the hosts that they lock."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

import diaken_cli.models.inventory  # noqa: F401  # has tables that foreign keys name
from diaken_cli.models import (
    NEW_NUMBERS,
    enum_column,
    json_column,
    nullable_json_column,
    unique_where,
)
from diaken_cli.types import RunKind, RunStatus, TargetType, Trigger


class Run(SQLModel, table=True):
    """One recorded operation, with its totals, so that a list never joins.

    `uid` goes to vCenter as the run's identity; `lock` names the lock file of this attempt.
    """

    __tablename__ = "run"
    __table_args__ = (
        unique_where(
            "ix_run_due", "scheduled_task_id", "due_at", condition="scheduled_task_id IS NOT NULL"
        ),
        Index("ix_run_started_at", "started_at"),
        Index("ix_run_status_started_at", "status", "started_at"),
        Index("ix_run_target", "target", "started_at"),
        NEW_NUMBERS,
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str
    lock: str | None = None
    node: str
    pid: int
    user: str
    trigger: Trigger = enum_column(Trigger)
    kind: RunKind = enum_column(RunKind)
    target_type: TargetType = enum_column(TargetType)
    target: str
    target_id: int | None = None
    environment: str | None = None
    playbook: str | None = None
    scheduled_task_id: int | None = Field(
        default=None, foreign_key="scheduled_task.id", ondelete="SET NULL"
    )
    due_at: datetime | None = None
    request: dict[str, Any] = json_column()
    status: RunStatus = enum_column(RunStatus)
    error: dict[str, Any] | None = nullable_json_column()
    started_at: datetime
    finished_at: datetime | None = None
    hosts: int = 0
    ok_hosts: int = 0
    failed_hosts: int = 0
    unreachable_hosts: int = 0
    skipped_hosts: int = 0
    aborted_hosts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    paused_until: datetime | None = None
    idle_seconds: float = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class HostLock(SQLModel, table=True):
    """A host that a run is changing: two operations never change the same one."""

    __tablename__ = "host_lock"
    __table_args__ = (Index("ix_host_lock_run_id", "run_id"),)

    host_id: int = Field(foreign_key="host.id", ondelete="RESTRICT", primary_key=True)
    run_id: int = Field(foreign_key="run.id", ondelete="CASCADE")
