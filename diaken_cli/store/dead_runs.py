"""Runs whose process died: `interrupted`, their hosts locked until nothing is left there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from diaken_cli.models.inventory import Host
from diaken_cli.models.runs import HostLock, Run
from diaken_cli.store.engines import Database
from diaken_cli.types import RunStatus

DIED = "the process of this run died"
HAS_ORPHANS = (col(Run.status) == RunStatus.INTERRUPTED, col(Run.lock).is_not(None))
"""A run that died and may have left processes on its hosts: it alone keeps its lock's name."""


@dataclass(frozen=True)
class DeadRun:
    """A run whose process died, and that may have left processes on the hosts it still holds.

    `hosts` are their names, by address.
    """

    run: int
    uid: str
    lock: str
    hosts: dict[str, str]


class DeadRuns:
    """Settles runs whose process died, and frees their hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def running(self) -> Sequence[tuple[int, str]]:
        """Number and lock of each run that is recorded as running."""
        query = select(Run.id, Run.lock).where(Run.status == RunStatus.RUNNING)
        with self._database.reading() as session:
            return [(run or 0, lock or "") for run, lock in session.exec(query).all()]

    def interrupt(self, run_id: int, lock: str, now: datetime, *, orphans: bool = False) -> None:
        """Settle a run whose process died.

        The caller holds its lock file exclusively; or has seen that others than that process hold
        it, and says that there are `orphans`.

        Where it may have left something on its hosts they stay locked, and the run keeps the name
        of its lock, until `free`.
        """
        from diaken_cli.store.runs import end_run  # each command comes by here, and seldom needs it

        hint = f"Stop its tasks there and unlock its hosts: diaken history cancel {run_id}"
        with self._database.writing() as session:
            error = _died(session, run_id, hint=hint if orphans else None)
            end_run(session, run_id, lock, RunStatus.INTERRUPTED, error, now, keep_locks=orphans)

    def with_orphans(self, run_id: int | None = None) -> list[DeadRun]:
        """The runs that died and may have left something on their hosts; or that one."""
        query = select(Run.id, Run.uid, Run.lock).where(*HAS_ORPHANS)
        if run_id is not None:
            query = query.where(Run.id == run_id)
        with self._database.reading() as session:
            rows = session.exec(query.order_by(col(Run.id))).all()
            return [
                DeadRun(number or 0, uid, lock or "", _locked_by(session, number or 0))
                for number, uid, lock in rows
            ]

    def free(self, dead: DeadRun, message: str | None) -> None:
        """Free the hosts of a run that died: what it had left there is ended.

        `message` says where something of it may go on.
        """
        freed = (
            update(Run)
            .where(col(Run.id) == dead.run, col(Run.lock) == dead.lock, *HAS_ORPHANS)
            .returning(col(Run.id))
        )
        with self._database.writing() as session:
            freed = freed.values(lock=None, error=_died(session, dead.run, message))
            if session.execute(freed).scalar_one_or_none() is not None:
                session.execute(delete(HostLock).where(col(HostLock.run_id) == dead.run))


def _locked_by(session: Session, run_id: int) -> dict[str, str]:
    query = (
        select(Host.ip, Host.name)
        .join(HostLock, col(HostLock.host_id) == col(Host.id))
        .where(HostLock.run_id == run_id)
    )
    return dict(session.exec(query).all())


def _died(
    session: Session, run_id: int, remaining: str | None = None, hint: str | None = None
) -> dict[str, Any]:
    """The error of a run whose process died: what it may have left, on hosts and of VMs."""
    from diaken_cli.models.results import RunStep  # each command comes by here, and seldom needs it
    from diaken_cli.store.run_records import MAYBE_OFF, POWER_ON_HINT, maybe_off_message

    parts = [DIED, *([remaining] if remaining else [])]
    steps = session.exec(select(RunStep.facts).where(RunStep.run_id == run_id)).all()
    if off := [host for facts in steps for host in facts.get(MAYBE_OFF, ())]:
        parts.append(maybe_off_message(off))
        hint = hint or POWER_ON_HINT
    return {"code": "interrupted", "message": "; ".join(parts), "hint": hint}
