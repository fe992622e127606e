"""Statements about which hosts are in which groups, in the caller's transaction.

The database refuses a group of another environment than the host's, and a group twice.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, insert, select
from sqlmodel import Session, col

from diaken_cli.models import Host, HostGroup, HostGroupMember

Groups = dict[int, tuple[tuple[int, ...], tuple[str, ...]]]
NONE: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())


def in_group(group_id: int) -> ColumnElement[bool]:
    """Whether a host is in a group, be it the main one or not, for a query for hosts."""
    members = select(col(HostGroupMember.host_id)).where(col(HostGroupMember.group_id) == group_id)
    return col(Host.id).in_(members)


def groups_of(session: Session, hosts: Select[*tuple[Any, ...]], count: int) -> Groups:
    """The numbers and names of the groups of the `count` hosts of a query, by the host's number."""
    if not count:
        return {}
    query = (
        select(col(HostGroupMember.host_id), col(HostGroupMember.group_id), col(HostGroup.name))
        .join(HostGroup, col(HostGroup.id) == col(HostGroupMember.group_id))
        .where(col(HostGroupMember.host_id).in_(_numbers(hosts)))
        .order_by(col(HostGroupMember.host_id), col(HostGroupMember.position))
    )
    groups: Groups = {}
    for host_id, group_id, name in session.execute(query).all():
        ids, names = groups.get(host_id, NONE)
        groups[host_id] = (*ids, group_id), (*names, name)
    return groups


def join(session: Session, host_id: int, environment_id: int, groups: Sequence[int]) -> None:
    """Put a host that is in no group into groups of its environment, the main one first.

    Raises IntegrityError where a group is gone, or of another environment.
    """
    if groups:
        session.execute(insert(HostGroupMember), rows(host_id, environment_id, groups))


def rows(host_id: int, environment_id: int, groups: Sequence[int]) -> list[dict[str, int]]:
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


def leave(session: Session, host_id: int) -> None:
    """Take a host out of all its groups."""
    session.execute(delete(HostGroupMember).where(col(HostGroupMember.host_id) == host_id))


def merged(before: Sequence[int], wanted: Sequence[int], current: Sequence[int]) -> tuple[int, ...]:
    """The groups that are wanted, with what another process has changed since `before`.

    One that it took away does not come back, one that it added comes last.
    """
    kept = [group_id for group_id in wanted if group_id not in before or group_id in current]
    return (
        *kept,
        *(group_id for group_id in current if group_id not in before and group_id not in wanted),
    )


def _numbers(hosts: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return hosts.with_only_columns(col(Host.id), maintain_column_froms=True).order_by(None)
