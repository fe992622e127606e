"""Environments, groups, vCenters, hosts and settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from diaken_cli.models import SMALL_ROWS, enum_column, json_column
from diaken_cli.types import SecretKind


class Environment(SQLModel, table=True):
    """PROD, TEST …; holds groups and hosts."""

    __tablename__ = "environment"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    vars: dict[str, Any] = json_column(server_default="{}")


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
    vars: dict[str, Any] = json_column()


class VCenter(SQLModel, table=True):
    """A named connection; `secret_ref` says where the password is, never what it is."""

    __tablename__ = "vcenter"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    server: str
    username: str
    secret_kind: SecretKind = enum_column(SecretKind)
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
    vars: dict[str, Any] = json_column()
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
        SMALL_ROWS,
    )

    host_id: int = Field(primary_key=True)
    group_id: int = Field(primary_key=True)
    environment_id: int
    position: int


class Setting(SQLModel, table=True):
    """A global key and value; every one is passed to every playbook."""

    __tablename__ = "setting"

    key: str = Field(primary_key=True)
    value: Any = json_column()
