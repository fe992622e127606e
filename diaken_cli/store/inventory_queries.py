"""Statements on the environments, groups and vCenters of the inventory.

All in the caller's transaction. Duplicates, and the removal of what others depend on, are refused
by the database; what it was that stood in the way is looked up afterwards.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Delete, ScalarSelect, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col

from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.models.inventory import Environment, Host, HostGroup, HostGroupMember, VCenter
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, VCenterRecord
from diaken_cli.text import join_names


def environments(session: Session, *where: ColumnElement[bool]) -> list[EnvironmentRecord]:
    """The environments that fit, by name, with what is in them."""
    query = select(
        Environment,
        _count(HostGroup, col(HostGroup.environment_id) == col(Environment.id)),
        _count(Host, col(Host.environment_id) == col(Environment.id)),
    )
    rows = session.execute(query.where(*where).order_by(col(Environment.name))).all()
    return [
        EnvironmentRecord(row.id or 0, row.name, groups, hosts, row.vars)
        for row, groups, hosts in rows
    ]


def groups(session: Session, *where: ColumnElement[bool]) -> list[GroupRecord]:
    """The groups that fit, by environment and name."""
    query = (
        select(
            HostGroup,
            col(Environment.name),
            _count(HostGroupMember, col(HostGroupMember.group_id) == col(HostGroup.id)),
        )
        .join(Environment, col(Environment.id) == col(HostGroup.environment_id))
        .where(*where)
        .order_by(col(Environment.name), col(HostGroup.name))
    )
    return [
        GroupRecord(row.id or 0, row.name, row.environment_id, environment, hosts, row.vars)
        for row, environment, hosts in session.execute(query).all()
    ]


def vcenters(session: Session, *where: ColumnElement[bool]) -> list[VCenterRecord]:
    """The vCenters that fit, by name, with how many hosts name them."""
    query = select(VCenter, _count(Host, col(Host.vcenter_id) == col(VCenter.id)))
    return [
        VCenterRecord(
            id=row.id or 0,
            name=row.name,
            server=row.server,
            username=row.username,
            secret_kind=row.secret_kind,
            secret_ref=row.secret_ref,
            ca_file=row.ca_file,
            insecure=row.insecure,
            datacenter=row.datacenter,
            hosts=hosts,
        )
        for row, hosts in session.execute(query.where(*where).order_by(col(VCenter.name))).all()
    ]


def insert(session: Session, row: SQLModel, *, what: str, name: str) -> None:
    """Add an environment, a group or a vCenter.

    Raises InvalidInput where the name is in use, Conflict where a group's environment is gone.
    """
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as fault:
        owner = getattr(row, "environment_id", None)
        if owner is not None and not environments(session, col(Environment.id) == owner):
            raise Conflict("the environment was removed in the meantime") from fault
        in_use = Mistake("NAME", name, f"{what} already exists", kind="in_use")
        raise InvalidInput([in_use]) from fault


def refuse_environment_name(session: Session, name: str) -> None:
    """Raise InvalidInput where an environment has that name, in whatever case.

    In the transaction of the insert: a unique index would refuse older databases, which may have
    names that differ in case only.
    """
    for environment in environments(session, func.lower(Environment.name) == name.lower()):
        message = f"environment {environment.name} already exists"
        raise InvalidInput([Mistake("NAME", name, message, kind="in_use")])


def refuse_group_name(session: Session, name: str, environment_id: int) -> None:
    """The same for a group of an environment."""
    same = func.lower(HostGroup.name) == name.lower()
    for group in groups(session, col(HostGroup.environment_id) == environment_id, same):
        message = f"group {group.name} of environment {group.environment} already exists"
        raise InvalidInput([Mistake("NAME", name, message, kind="in_use")])


def delete(session: Session, statement: Delete, *, what: str, **dependents: Any) -> None:
    """Remove something on which nothing depends.

    `dependents` are queries for names, by what they are names of: Conflict says what they find.
    """
    try:
        with session.begin_nested():
            session.execute(statement)
    except IntegrityError as fault:
        names_by_kind = {kind: list(session.scalars(query)) for kind, query in dependents.items()}
        listed = "; ".join(_listed(kind, names) for kind, names in names_by_kind.items() if names)
        raise Conflict(
            f"{what} is in use by {listed}",
            code="in_use",
            hint="Remove or change these first.",
        ) from fault


def changes(before: object, wanted: object) -> dict[str, Any]:
    """The wanted values that differ from `before`."""
    return {k: v for k, v in vars(wanted).items() if v != getattr(before, k)}


def merged(
    before: Mapping[str, Any], wanted: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    """Variables as they are now, with just the changes that lead from `before` to `wanted`."""
    gone = before.keys() - wanted.keys()
    changed = {k: v for k, v in wanted.items() if k not in before or v != before[k]}
    return {k: v for k, v in current.items() if k not in gone} | changed


def names(column: Any, *where: ColumnElement[bool]) -> Any:
    """A query for names in order, for `delete`."""
    return select(column).where(*where).order_by(column)


def _count(table: type[SQLModel], where: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(where).scalar_subquery()


def _listed(kind: str, names: list[str]) -> str:
    return f"{kind.replace('_', ' ')} {join_names(names)}"
