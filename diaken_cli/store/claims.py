"""Who works on what: runs are begun, taken up again and ended here, with the locks of their hosts.

Each is one write transaction, so that of two processes one wins and nothing is half claimed.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from diaken_cli.errors import Conflict, Locked
from diaken_cli.models import Host, HostLock, Run
from diaken_cli.store import hosts
from diaken_cli.store.engine import Database
from diaken_cli.store.membership import in_group
from diaken_cli.store.recorder import fail_running_steps, set_step
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.words import RunKind, RunStatus, StepStatus, TargetType, Trigger

Choose = Callable[[Sequence[HostRecord]], Sequence[HostRecord]]
"""Narrows the active hosts of a target to those that are meant."""

UNFINISHED = (RunStatus.FAILED, RunStatus.CANCELED, RunStatus.INTERRUPTED)


@dataclass(frozen=True)
class NewRun:
    """A run to begin; `host_ids` are the hosts that it changes, `request` what was asked for."""

    kind: RunKind
    target_type: TargetType
    target: str
    request: dict[str, Any]
    user: str
    target_id: int | None = None
    environment: str | None = None
    playbook: str | None = None
    trigger: Trigger = Trigger.MANUAL
    scheduled_task_id: int | None = None
    due_at: datetime | None = None
    host_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One process that carries out a run: the name of its lock file, and where it lives."""

    lock: str
    node: str
    pid: int


@dataclass(frozen=True)
class Begun:
    """A run that this process holds; `uid` is its identity in vCenter."""

    id: int
    uid: str


@dataclass(frozen=True)
class Remains:
    """What may go on of a run whose process died on `node`: on the hosts that it still holds.

    `hosts` are their names, by address.
    """

    run: int
    uid: str
    lock: str
    node: str
    hosts: dict[str, str]


_REMAINS = (col(Run.status) == RunStatus.INTERRUPTED, col(Run.lock).is_not(None))
"""Only a run that died with something left on its hosts keeps the name of its lock."""


class Claims:
    """Begins and ends runs; takes and frees the locks of hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, new: NewRun, attempt: Attempt, now: datetime) -> Begun:
        """Record a run and lock all its hosts, or none. Raises Conflict naming the holder."""
        with self._database.writing() as session:
            refuse_locked(session, new.host_ids)
            return begin_run(session, new, attempt, now)

    def begin_on_target(
        self, new: NewRun, choose: Choose, attempt: Attempt, now: datetime
    ) -> tuple[Begun, tuple[HostRecord, ...]]:
        """Record a run and lock the hosts that its target has at this moment: those hosts.

        Raises what `choose` raises, and Conflict naming the holder; nothing is recorded then.
        """
        with self._database.writing() as session:
            return begin_on_target(session, new, choose, attempt, now)

    def begin_with_free(
        self, new: NewRun, attempt: Attempt, now: datetime
    ) -> tuple[Begun, dict[int, int]]:
        """Record a run and lock those of its hosts that are free; the holders of the others."""
        with self._database.writing() as session:
            held = {host: run for host, run in _locks(session).items() if host in new.host_ids}
            free = tuple(each for each in new.host_ids if each not in held)
            begun = begin_run(session, replace(new, host_ids=free), attempt, now)
        return begun, held

    def locked(self) -> dict[int, int]:
        """The run that holds a host, by the host's number."""
        with self._database.reading() as session:
            return _locks(session)

    def take_up(self, run_id: int, attempt: Attempt) -> Begun:
        """Hold again a run that ended without success. Raises Conflict where another was first.

        The lock of its host, if it has one by now, is taken with it.
        """
        taken = (
            update(Run)
            .where(col(Run.id) == run_id, col(Run.status).in_(UNFINISHED), col(Run.lock).is_(None))
            .values(
                status=RunStatus.RUNNING,
                lock=attempt.lock,
                node=attempt.node,
                pid=attempt.pid,
                error=None,
                finished_at=None,
            )
            .returning(col(Run.uid))
        )
        with self._database.writing() as session:
            _refuse_remains(session, run_id)
            uid = session.execute(taken).scalar_one_or_none()
            if uid is None:
                raise Conflict(
                    f"run {run_id} is running or has ended well",
                    hint=f"See: diaken history show {run_id}",
                )
            mine = session.exec(select(Host.id).where(Host.deployed_by == run_id)).all()
            host_ids = [each for each in mine if each is not None]
            refuse_locked(session, host_ids)
            lock_hosts(session, run_id, host_ids)
        return Begun(run_id, uid)

    def register(self, run_id: int, name: str, values: HostValues, now: datetime) -> int:
        """Add the host that a deploy makes, not active yet, and lock it: its number.

        Raises InvalidInput where the name or the address is in use.
        """
        with self._database.writing() as session:
            host = hosts.insert_host(session, name, values, now, deployed_by=run_id)
            lock_hosts(session, run_id, [host.id])
        return host.id

    def registered(self, run_id: int) -> int | None:
        """The number of the host that a deploy added and still holds, if there is one."""
        with self._database.reading() as session:
            return session.exec(select(Host.id).where(Host.deployed_by == run_id)).first()

    def unregister(self, run_id: int) -> None:
        """Take back the host that a deploy added; one that is active by now stays."""
        mine = (col(Host.deployed_by) == run_id, col(Host.active).is_(False))
        with self._database.writing() as session:
            session.execute(delete(HostLock).where(col(HostLock.run_id) == run_id))
            session.execute(delete(Host).where(*mine))

    def note_vm(self, host_id: int, vm_uuid: str) -> None:
        """Tie a host that a deploy holds to its VM, also where that is not its first one."""
        with self._database.writing() as session:
            hosts.set_vm(session, host_id, vm_uuid, anew=True)

    def activate(
        self,
        run_id: int,
        lock: str,
        host_id: int,
        step: str,
        now: datetime,
        *,
        last_look: Callable[[], None],
    ) -> None:
        """Put a deployed host into use and record the run's success, all at once.

        What `last_look` raises leaves all as it was: it may have had to wait for other writers.
        """
        with self._database.writing() as session:
            last_look()
            hosts.set_active(session, host_id)
            set_step(session, run_id, step, StepStatus.SUCCESS, now)
            _end(session, run_id, lock, RunStatus.SUCCESS, None, now)

    def finish(
        self,
        run_id: int,
        lock: str,
        status: RunStatus,
        error: dict[str, Any] | None,
        now: datetime,
    ) -> None:
        """Write how a run ended and free its hosts; a run that was given up stays as it is."""
        with self._database.writing() as session:
            _end(session, run_id, lock, status, error, now)

    def withdraw(self, run_id: int, lock: str) -> bool:
        """Forget a run that has changed nothing, with all that is recorded of it.

        Whether it was still this attempt's: one that was given up meanwhile stays as it is.
        """
        mine = (col(Run.id) == run_id, col(Run.lock) == lock, col(Run.status) == RunStatus.RUNNING)
        with self._database.writing() as session:
            withdrawn = session.execute(delete(Run).where(*mine).returning(col(Run.id)))
            return withdrawn.scalar_one_or_none() is not None

    def interrupt(self, run_id: int, lock: str, now: datetime, *, remains: bool = False) -> None:
        """Settle a run whose process died.

        The caller holds its lock file exclusively; or has seen that others than that process hold
        it, and says that something `remains`.

        Where it may have left something on its hosts they stay locked, and the run keeps the name
        of its lock, until `free`.
        """
        hint = (
            f"Its hosts are free once what it runs there is ended: diaken history cancel {run_id}"
        )
        error = _died(hint=hint if remains else None)
        with self._database.writing() as session:
            _end(session, run_id, lock, RunStatus.INTERRUPTED, error, now, keep=remains)

    def remains(self, run_id: int | None = None) -> list[Remains]:
        """The runs that died and may have left something on their hosts; or that one."""
        query = select(Run.id, Run.uid, Run.lock, Run.node).where(*_REMAINS)
        if run_id is not None:
            query = query.where(Run.id == run_id)
        with self._database.reading() as session:
            found = session.exec(query.order_by(col(Run.id))).all()
            return [
                Remains(number or 0, uid, lock or "", node, _held_by(session, number or 0))
                for number, uid, lock, node in found
            ]

    def free(self, remains: Remains, still: str | None) -> None:
        """Free the hosts of a run that died: what it had left there is ended.

        `still` says where something of it may go on.
        """
        freed = (
            update(Run)
            .where(col(Run.id) == remains.run, col(Run.lock) == remains.lock, *_REMAINS)
            .values(lock=None, error=_died(still))
            .returning(col(Run.id))
        )
        with self._database.writing() as session:
            if session.execute(freed).scalar_one_or_none() is not None:
                session.execute(delete(HostLock).where(col(HostLock.run_id) == remains.run))

    def running(self) -> Sequence[tuple[int, str, str]]:
        """Number, lock and machine of each run that is recorded as running."""
        query = select(Run.id, Run.lock, Run.node).where(Run.status == RunStatus.RUNNING)
        with self._database.reading() as session:
            return [(run or 0, lock or "", node) for run, lock, node in session.exec(query).all()]


def begin_on_target(
    session: Session, new: NewRun, choose: Choose, attempt: Attempt, now: datetime
) -> tuple[Begun, tuple[HostRecord, ...]]:
    """Choose a run's hosts, record it and lock them, in the caller's transaction.

    So who had to wait knows the inventory as it is then. Raises what `choose` raises, and Locked.
    """
    chosen = tuple(choose(active_hosts(session, new.target_type, new.target_id)))
    host_ids = tuple(each.id for each in chosen)
    refuse_locked(session, host_ids)
    return begin_run(session, replace(new, host_ids=host_ids), attempt, now), chosen


def active_hosts(
    session: Session, target_type: TargetType, target_id: int | None
) -> list[HostRecord]:
    """The active hosts that a target has now; none where it is gone."""
    if target_id is None:  # the group of hosts that are in none has no number either
        return []
    if target_type is TargetType.GROUP:
        meant = in_group(target_id)
    else:
        one_host = target_type is TargetType.HOST
        meant = col(Host.id if one_host else Host.environment_id) == target_id
    return hosts.records(session, hosts.select_hosts().where(meant, col(Host.active)))


def begin_run(session: Session, new: NewRun, attempt: Attempt, now: datetime) -> Begun:
    """Record a run and lock its hosts, in the caller's transaction."""
    run = Run(
        uid=str(uuid.uuid4()),
        lock=attempt.lock,
        node=attempt.node,
        pid=attempt.pid,
        user=new.user,
        trigger=new.trigger,
        kind=new.kind,
        target_type=new.target_type,
        target=new.target,
        target_id=new.target_id,
        environment=new.environment,
        playbook=new.playbook,
        scheduled_task_id=new.scheduled_task_id,
        due_at=new.due_at,
        request=new.request,
        status=RunStatus.RUNNING,
        started_at=now,
        hosts=len(new.host_ids),
    )
    session.add(run)
    session.flush()
    begun = Begun(_id(run), run.uid)
    lock_hosts(session, begun.id, new.host_ids)
    return begun


def refuse_locked(session: Session, host_ids: Sequence[int]) -> None:
    """Raise Locked where a run holds one of the hosts: which, whose, and since when."""
    query = (
        select(Host.name, HostLock.run_id, Run.user, Run.started_at)
        .join(HostLock, col(HostLock.host_id) == col(Host.id))
        .join(Run, col(Run.id) == col(HostLock.run_id))
        .where(col(Host.id).in_(host_ids))
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


def lock_hosts(session: Session, run_id: int, host_ids: Sequence[int]) -> None:
    """Lock hosts for a run, in the caller's transaction. Raises Conflict where one is gone."""
    session.add_all(HostLock(host_id=each, run_id=run_id) for each in host_ids)
    try:
        session.flush()
    except IntegrityError as fault:
        raise Conflict("one of the hosts was removed meanwhile") from fault


def _refuse_remains(session: Session, run_id: int) -> None:
    if session.exec(select(Run.id).where(Run.id == run_id, *_REMAINS)).first() is not None:
        raise Locked(f"run {run_id} died, and may have left something on its hosts", run=run_id)


def _held_by(session: Session, run_id: int) -> dict[str, str]:
    query = (
        select(Host.ip, Host.name)
        .join(HostLock, col(HostLock.host_id) == col(Host.id))
        .where(HostLock.run_id == run_id)
    )
    return dict(session.exec(query).all())


def _died(still: str | None = None, hint: str | None = None) -> dict[str, Any]:
    message = "the process of this run died" + (f"; {still}" if still else "")
    return {"code": "interrupted", "message": message, "hint": hint}


def _locks(session: Session) -> dict[int, int]:
    query = select(HostLock.host_id, HostLock.run_id)
    return dict(session.exec(query).all())


def _end(
    session: Session,
    run_id: int,
    lock: str,
    status: RunStatus,
    error: dict[str, Any] | None,
    now: datetime,
    *,
    keep: bool = False,
) -> None:
    """`keep` its hosts locked, and the name of its lock."""
    ended = (
        update(Run)
        .where(col(Run.id) == run_id, col(Run.lock) == lock, col(Run.status) == RunStatus.RUNNING)
        .values(status=status, error=error, finished_at=now, lock=lock if keep else None)
        .returning(col(Run.kind))
    )
    kind = session.execute(ended).scalar_one_or_none()
    if kind is not None and not keep:
        session.execute(delete(HostLock).where(col(HostLock.run_id) == run_id))
    if kind not in (None, RunKind.DEPLOY):  # a deploy that is taken up looks at what it had begun
        fail_running_steps(
            session,
            run_id,
            "it did not end" if error is None else str(error["message"]),
            None if status is RunStatus.INTERRUPTED else now,  # nobody knows when it died
        )


def _id(run: Run) -> int:
    assert run.id is not None, "a flushed row has its number"  # noqa: S101  # narrows the type
    return run.id
