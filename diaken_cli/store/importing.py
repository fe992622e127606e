"""Statements of an import: many hosts and their groups, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from diaken_cli.errors import Conflict
from diaken_cli.models import Host, HostGroup
from diaken_cli.store.hosts import columns
from diaken_cli.store.records import HostValues


@dataclass(frozen=True)
class NewGroup:
    """A group that an import makes."""

    name: str
    environment_id: int
    vars: dict[str, Any]


@dataclass(frozen=True)
class NewHost:
    """A host that an import makes; `new_group` is the name of a group that it makes, too."""

    name: str
    values: HostValues
    new_group: str | None = None


@dataclass(frozen=True)
class FoundVM:
    """The VM of a host of which none was known: the vCenter's id, and the instance UUID."""

    host_id: int
    vcenter: int
    uuid: str | None


_NOTE = (
    update(Host.__table__)  # type: ignore[attr-defined]
    .where(
        col(Host.id) == bindparam("host_id"),
        col(Host.vm_uuid).is_(None),
        col(Host.vcenter_id).is_(None) | (col(Host.vcenter_id) == bindparam("vcenter")),
    )
    .values(vcenter_id=bindparam("vcenter"), vm_uuid=bindparam("uuid"))
)


def apply(
    session: Session,
    groups: Sequence[NewGroup],
    hosts: Sequence[NewHost],
    found: Sequence[FoundVM],
    now: datetime,
) -> None:
    """Add the groups, then the hosts, and note the VMs.

    Raises Conflict where the inventory is not what it was when that was planned.
    """
    try:
        with session.begin_nested():
            _add(session, groups, hosts, now)
            if found:
                session.execute(_NOTE, [vars(each) for each in found])
    except IntegrityError as fault:
        raise Conflict(
            "the inventory was changed meanwhile; nothing was imported",
            hint="Do it again: what has come since is taken into account then.",
        ) from fault


def _add(
    session: Session, groups: Sequence[NewGroup], hosts: Sequence[NewHost], now: datetime
) -> None:
    if groups:
        session.execute(insert(HostGroup), [vars(each) for each in groups])
    query = select(col(HostGroup.environment_id), col(HostGroup.name), col(HostGroup.id))
    ids = {(environment, name): number for environment, name, number in session.execute(query)}
    rows = []
    for each in hosts:
        values = each.values
        if each.new_group is not None:
            values = replace(values, group_id=ids[values.environment_id, each.new_group])
        rows.append({"name": each.name, "created_at": now, **columns(values)})
    if rows:
        session.execute(insert(Host), rows)
