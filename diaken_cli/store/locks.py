"""The locks of hosts, in the caller's transaction: two operations never change the same host."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from diaken_cli.errors import Conflict, Locked
from diaken_cli.models.inventory import Host
from diaken_cli.models.runs import HostLock, Run


def lock_hosts(session: Session, run_id: int, host_ids: Sequence[int]) -> None:
    """Lock hosts for a run, in the caller's transaction. Raises Conflict where one is gone."""
    session.add_all(HostLock(host_id=host_id, run_id=run_id) for host_id in host_ids)
    try:
        session.flush()
    except IntegrityError as fault:
        raise Conflict("one of the hosts was removed in the meantime") from fault


def refuse_locked(session: Session, host_ids: Sequence[int], *, unless: int | None = None) -> None:
    """Raise Locked where a run holds one of the hosts: which, whose, and since when.

    Not where that is `unless`.
    """
    query = (
        select(Host.name, HostLock.run_id, Run.user, Run.started_at)
        .join(HostLock, col(HostLock.host_id) == col(Host.id))
        .join(Run, col(Run.id) == col(HostLock.run_id))
        .where(col(Host.id).in_(host_ids), col(HostLock.run_id).is_distinct_from(unless))
        .order_by(Host.name)
    )
    holders = session.exec(query).all()
    if holders:
        host, run, user, since = holders[0]
        others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        raise Locked(
            f"host {host}{others} is locked by run {run} of {user}"
            f" since {since.astimezone():%Y-%m-%d %H:%M:%S}",
            run=run,
        )
