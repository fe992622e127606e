"""Statements of an import: many hosts and their groups, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from diaken_cli.errors import Conflict
from diaken_cli.models.inventory import Environment, Host, HostGroup, HostGroupMember
from diaken_cli.store import inventory_queries
from diaken_cli.store.hosts import columns, group_rows
from diaken_cli.store.records import EnvironmentRecord, HostValues


@dataclass(frozen=True)
class NewVariables:
    """The variables that an environment without hosts gets, all of them, with its first hosts."""

    environment: EnvironmentRecord
    vars: dict[str, Any]


@dataclass(frozen=True)
class NewGroup:
    """A group that an import makes."""

    name: str
    environment_id: int
    vars: dict[str, Any]


@dataclass(frozen=True)
class NewHost:
    """A host that an import makes.

    `groups` are the names of its groups, the main one first, those that the import makes, too:
    they count, and not the numbers among the `values`.
    """

    name: str
    values: HostValues
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundVM:
    """The VM of a host of which none was known: the vCenter's id, and the instance UUID."""

    host_id: int
    vcenter: int
    uuid: str | None


_SET_VM = (
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
    environments: Sequence[NewVariables],
    groups: Sequence[NewGroup],
    hosts: Sequence[NewHost],
    updates: Sequence[FoundVM],
    now: datetime,
) -> None:
    """Give the environments their variables, add the groups, then the hosts, and note the VMs.

    Raises Conflict where the inventory is not what it was when that was planned.
    """
    try:
        with session.begin_nested():
            for environment in environments:
                _set_variables(session, environment)
            _insert(session, groups, hosts, now)
            if updates:
                session.execute(_SET_VM, [vars(update) for update in updates])
    except (IntegrityError, _InventoryChanged) as fault:
        raise Conflict(
            "the inventory was changed in the meantime; nothing was imported",
            hint="Run the import again.",
        ) from fault


class _InventoryChanged(Exception):
    """The inventory has something that was not there, or lacks what was."""


def _set_variables(session: Session, first: NewVariables) -> None:
    condition = col(Environment.id) == first.environment.id
    environments = inventory_queries.environments(session, condition)
    if not environments or environments[0].hosts or environments[0].vars != first.environment.vars:
        raise _InventoryChanged
    session.execute(update(Environment).where(condition).values(vars=first.vars))


def _insert(
    session: Session, groups: Sequence[NewGroup], hosts: Sequence[NewHost], now: datetime
) -> None:
    _refuse_names(session, groups, hosts)
    if groups:
        session.execute(insert(HostGroup), [vars(group) for group in groups])
    if not hosts:
        return
    session.execute(
        insert(Host), [{"name": h.name, "created_at": now, **columns(h.values)} for h in hosts]
    )
    query = select(col(HostGroup.environment_id), col(HostGroup.name), col(HostGroup.id))
    group_ids = {(place, name): number for place, name, number in session.execute(query)}
    numbered = select(col(Host.name), col(Host.id))
    host_ids = dict(session.execute(numbered).all())
    members = []
    for host in hosts:
        place = host.values.environment_id
        if any((place, name) not in group_ids for name in host.groups):
            raise _InventoryChanged
        wanted = [group_ids[place, name] for name in host.groups]
        members += group_rows(host_ids[host.name], place, wanted)
    if members:
        session.execute(insert(HostGroupMember), members)


def _refuse_names(session: Session, groups: Sequence[NewGroup], hosts: Sequence[NewHost]) -> None:
    """Raise _InventoryChanged where a name is in use, be it in another case: see `store.hosts`."""
    taken: set[tuple[int | None, str]] = {
        (None, name.lower()) for name in session.scalars(select(col(Host.name)))
    }
    query = select(col(HostGroup.environment_id), col(HostGroup.name))
    taken |= {(place, name.lower()) for place, name in session.execute(query)}
    for place, name in (
        *((None, host.name) for host in hosts),
        *((group.environment_id, group.name) for group in groups),
    ):
        if (place, name.lower()) in taken:
            raise _InventoryChanged
        taken.add((place, name.lower()))
