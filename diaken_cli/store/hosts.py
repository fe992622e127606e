"""Statements about hosts, in the caller's transaction: a flow joins them with its own.

A name, an address or a VM that is in use is refused by the database: of two processes one wins.
Names that differ in case only are refused before the insert, in its transaction, and writers come
one after the other: a unique index would refuse older databases, which may have such names.
A group of another environment than the host's, and a group twice, are refused by the database, too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from diaken_cli.errors import Conflict, DiakenError, InvalidInput, Mistake, NotFound
from diaken_cli.models.inventory import Environment, Host, HostGroup, HostGroupMember, VCenter
from diaken_cli.models.runs import Run
from diaken_cli.store import inventory_queries
from diaken_cli.store.records import HostRecord, HostValues

HostQuery = Select[*tuple[Any, ...]]
_Groups = dict[int, tuple[tuple[int, ...], tuple[str, ...]]]
NO_GROUPS: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())


def select_hosts() -> HostQuery:
    """The one query for hosts, with the names of what they belong to, by name.

    For columns, not for entities: of a thousand hosts these cost a tenth of a second more.
    """
    return (
        select(
            *Host.__table__.columns,  # type: ignore[attr-defined]
            col(Environment.name).label("environment"),
            col(VCenter.name).label("vcenter"),
        )
        .join(Environment, col(Environment.id) == col(Host.environment_id))
        .outerjoin(VCenter, col(VCenter.id) == col(Host.vcenter_id))
        .order_by(col(Host.name))
    )


def records(session: Session, query: HostQuery) -> list[HostRecord]:
    """The hosts of a query that began with `select_hosts`, by two queries, however many."""
    rows = session.execute(query).all()
    groups = _groups_of(session, query, len(rows))
    return [
        HostRecord(
            id=host.id,
            name=host.name,
            ip=host.ip,
            environment_id=host.environment_id,
            environment=host.environment,
            group_ids=groups.get(host.id, NO_GROUPS)[0],
            groups=groups.get(host.id, NO_GROUPS)[1],
            vcenter_id=host.vcenter_id,
            vcenter=host.vcenter,
            vm_uuid=host.vm_uuid,
            active=host.active,
            user=host.ssh_user,
            port=host.port,
            key=host.key,
            python=host.python,
            vars=host.vars,
            description=host.description,
            created_at=host.created_at,
            deployed_by=host.deployed_by,
        )
        for host in rows
    ]


def in_group(group_id: int) -> ColumnElement[bool]:
    """Whether a host is in a group, be it the main one or not, for a query for hosts."""
    members = select(col(HostGroupMember.host_id)).where(col(HostGroupMember.group_id) == group_id)
    return col(Host.id).in_(members)


def host_by_id(session: Session, host_id: int) -> HostRecord:
    """A host that must be there. Raises NotFound where another process has removed it."""
    hosts = records(session, select_hosts().where(col(Host.id) == host_id))
    if not hosts:
        raise NotFound("the host was removed in the meantime", hint="See: diaken hosts list --all")
    return hosts[0]


def insert_host(
    session: Session,
    name: str,
    values: HostValues,
    now: datetime,
    *,
    deployed_by: int | None = None,
) -> HostRecord:
    """Add a host; `deployed_by` is the run that creates it.

    Raises InvalidInput where its name, address or VM is in use, Conflict where what it belongs to
    is gone.
    """
    if in_use := clashes(session, name=name, ip=values.ip, vm_uuid=values.vm_uuid):
        raise InvalidInput(in_use)
    row = Host(name=name, created_at=now, deployed_by=deployed_by, **columns(values))
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
            _join_groups(session, row.id or 0, values.environment_id, values.group_ids)
    except IntegrityError as fault:
        raise _refusal(session, name, values) from fault
    return records(session, select_hosts().where(col(Host.id) == row.id))[0]


def update_host(session: Session, host: HostRecord, values: HostValues) -> HostRecord:
    """Store what of a host is to be different; the rest stays as another process may have set it.

    Raises as `insert_host` does, and NotFound where the host is gone.
    """
    changes = inventory_queries.changes(host, values)
    if changes:
        current = host_by_id(session, host.id)
        groups = changes.pop("group_ids", None)
        if groups is not None:
            groups = _merged_groups(host.group_ids, values.group_ids, current.group_ids)
        if "vars" in changes:
            changes["vars"] = inventory_queries.merged(host.vars, values.vars, current.vars)
        try:
            with session.begin_nested():
                if groups is not None:  # those of another environment go before the host does
                    _leave_groups(session, host.id)
                if changes:
                    changed = update(Host).where(col(Host.id) == host.id)
                    session.execute(changed.values(columns(changes)))
                if groups is not None:
                    environment = changes.get("environment_id", current.environment_id)
                    _join_groups(session, host.id, environment, groups)
        except IntegrityError as fault:
            raise _refusal(session, host.name, values, host.id) from fault
    return host_by_id(session, host.id)


def set_vm(
    session: Session,
    host_id: int,
    vm_uuid: str,
    *,
    anew: bool = False,
    unless_changed: HostRecord | None = None,
) -> None:
    """Note the instance UUID of a host's VM; a known one stays, but for `anew`.

    With `unless_changed`, only where address and vCenter are still those of this record. Raises
    Conflict where it is the VM of another host.
    """
    noted = update(Host).where(col(Host.id) == host_id).values(vm_uuid=vm_uuid)
    if not anew:
        noted = noted.where(col(Host.vm_uuid).is_(None))
    if unless_changed is not None:
        noted = noted.where(
            col(Host.ip) == unless_changed.ip, col(Host.vcenter_id) == unless_changed.vcenter_id
        )
    try:
        with session.begin_nested():
            session.execute(noted)
    except IntegrityError as fault:
        in_use = clashes(session, vm_uuid=vm_uuid, host_id=host_id)
        reason = in_use[0].message if in_use else f"{vm_uuid} is in use by another host"
        raise Conflict(f"the VM {reason}", code="in_use") from fault


def set_active(session: Session, host_id: int) -> None:
    """Put a deployed host into use; from now on no deploy holds it."""
    session.execute(
        update(Host).where(col(Host.id) == host_id).values(active=True, deployed_by=None)
    )


def delete_host(session: Session, host_id: int, name: str) -> None:
    """Remove a host; its tasks that have ended stay in the record. One that is gone is no fault.

    Raises Conflict where a scheduled task that has not ended, or the lock of a run, refers to it.
    """
    from diaken_cli.models.schedules import ScheduledTask
    from diaken_cli.store import tasks

    task_host = col(ScheduledTask.host_id)
    tasks.release_ended_tasks(session, task_host, host_id)
    inventory_queries.delete(
        session,
        delete(Host).where(col(Host.id) == host_id),
        what=f"host {name}",
        scheduled_tasks=tasks.open_tasks(task_host == host_id),
    )


def refuse_deploying(session: Session, host_id: int) -> None:
    """Raise Conflict where a deploy that has not succeeded holds the host."""
    query = (
        select(col(Host.name), col(Run.id), col(Run.status))
        .join(Run, col(Run.id) == col(Host.deployed_by))
        .where(col(Host.id) == host_id, ~col(Host.active))
    )
    for name, run, status in session.execute(query):
        raise Conflict(
            f"host {name} belongs to deploy run {run}, which is {status}",
            code="in_use",
            hint=f"Resume: diaken deploy resume {run}; or undo: diaken deploy abort {run}",
        )


def clashes(
    session: Session,
    *,
    name: str | None = None,
    ip: str | None = None,
    vm_uuid: str | None = None,
    host_id: int | None = None,
) -> list[Mistake]:
    """What of a host is in use by another one than `host_id`.

    Names are compared without regard to case, as in DNS (RFC 4343) and /etc/hosts.
    """
    query = select_hosts().where(
        or_(
            func.lower(Host.name) == (name or "").lower(),
            col(Host.ip) == (ip or ""),
            col(Host.vm_uuid) == (vm_uuid or ""),
        ),
        col(Host.id) != (host_id or 0),
    )
    mistakes = []
    for existing in records(session, query):
        if name and existing.name.lower() == name.lower():
            message = f"host {existing.name} already exists ({existing.ip}, {existing.environment})"
            mistakes.append(Mistake("NAME", name, message, kind="in_use"))
        for option, wanted, in_use in (
            ("--ip", ip, existing.ip),
            ("--vm-uuid", vm_uuid, existing.vm_uuid),
        ):
            if wanted and wanted == in_use:
                message = f"{wanted} is in use by host {existing.name} ({existing.environment})"
                mistakes.append(Mistake(option, wanted, message, kind="in_use"))
    return mistakes


def columns(values: HostValues | dict[str, Any]) -> dict[str, Any]:
    """Values of a host by the names of their columns; its groups are no column."""
    named = dict(values if isinstance(values, dict) else vars(values))
    named.pop("group_ids", None)
    if "user" in named:
        named["ssh_user"] = named.pop("user")
    return named


def _refusal(
    session: Session, name: str, values: HostValues, host_id: int | None = None
) -> DiakenError:
    """Why the database refused a host."""
    in_use = clashes(session, name=name, ip=values.ip, vm_uuid=values.vm_uuid, host_id=host_id)
    if in_use:
        return InvalidInput(in_use)
    return Conflict(
        f"the environment, group or vCenter of host {name} was removed or changed in the meantime",
        hint="See: diaken environments list; diaken groups list; diaken vcenters list",
    )


# ── its groups ───────────────────────────────────────────────────────────────────────────────────


def _groups_of(session: Session, hosts: Select[*tuple[Any, ...]], count: int) -> _Groups:
    """The numbers and names of the groups of the `count` hosts of a query, by the host's number."""
    if not count:
        return {}
    query = (
        select(col(HostGroupMember.host_id), col(HostGroupMember.group_id), col(HostGroup.name))
        .join(HostGroup, col(HostGroup.id) == col(HostGroupMember.group_id))
        .where(col(HostGroupMember.host_id).in_(_select_ids(hosts)))
        .order_by(col(HostGroupMember.host_id), col(HostGroupMember.position))
    )
    groups: _Groups = {}
    for host_id, group_id, name in session.execute(query).all():
        ids, names = groups.get(host_id, NO_GROUPS)
        groups[host_id] = (*ids, group_id), (*names, name)
    return groups


def _join_groups(
    session: Session, host_id: int, environment_id: int, groups: Sequence[int]
) -> None:
    """Put a host that is in no group into groups of its environment, the main one first.

    Raises IntegrityError where a group is gone, or of another environment.
    """
    if groups:
        session.execute(insert(HostGroupMember), group_rows(host_id, environment_id, groups))


def group_rows(host_id: int, environment_id: int, groups: Sequence[int]) -> list[dict[str, int]]:
    """The rows of a host's groups."""
    return [
        {
            "host_id": host_id,
            "group_id": group_id,
            "environment_id": environment_id,
            "position": position,
        }
        for position, group_id in enumerate(groups)
    ]


def _leave_groups(session: Session, host_id: int) -> None:
    """Take a host out of all its groups."""
    session.execute(delete(HostGroupMember).where(col(HostGroupMember.host_id) == host_id))


def _merged_groups(
    before: Sequence[int], wanted: Sequence[int], current: Sequence[int]
) -> tuple[int, ...]:
    """The groups that are wanted, with what another process has changed since `before`.

    One that it took away does not come back, one that it added comes last.
    """
    kept = [group_id for group_id in wanted if group_id not in before or group_id in current]
    return (
        *kept,
        *(group_id for group_id in current if group_id not in before and group_id not in wanted),
    )


def _select_ids(hosts: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return hosts.with_only_columns(col(Host.id), maintain_column_froms=True).order_by(None)
