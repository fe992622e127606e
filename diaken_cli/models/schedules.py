"""Scheduled tasks, and their moments that were missed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

import diaken_cli.models.inventory  # noqa: F401  # has tables that foreign keys name
from diaken_cli.models import NEW_NUMBERS, enum_column, json_column, unique_where
from diaken_cli.types import ScheduleStatus, TargetType


class ScheduledTask(SQLModel, table=True):
    """A playbook to run at a moment; `due_at` is the next one, `wall_at` what was asked for."""

    __tablename__ = "scheduled_task"
    __table_args__ = (
        unique_where(
            "ix_scheduled_task_name", "name", condition="status IN ('pending', 'running')"
        ),
        Index("ix_scheduled_task_due", "status", "due_at"),
        NEW_NUMBERS,
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    target_type: TargetType = enum_column(TargetType)
    host_id: int | None = Field(default=None, foreign_key="host.id", ondelete="RESTRICT")
    group_id: int | None = Field(default=None, foreign_key="host_group.id", ondelete="RESTRICT")
    target: str
    environment: str
    playbook: str
    options: dict[str, Any] = json_column()
    wall_at: str
    timezone: str
    fold: int = 0
    rrule: str | None = None
    grace_s: int
    due_at: datetime | None = None
    status: ScheduleStatus = enum_column(ScheduleStatus)
    last_run_id: int | None = None
    error: str | None = None


class MissedMoment(SQLModel, table=True):
    """A moment of a task that passed without an execution, with the reason."""

    __tablename__ = "missed"

    scheduled_task_id: int = Field(
        foreign_key="scheduled_task.id", ondelete="CASCADE", primary_key=True
    )
    due_at: datetime = Field(primary_key=True)
    noticed_at: datetime
    reason: str
