"""Runs are begun, resumed, paused and ended, with the locks of their hosts, and deploys' new hosts.

Each is one write transaction, so that of two processes one wins and nothing is half done.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, delete, update
from sqlmodel import Session, col, select

from diaken_cli.errors import Conflict, Locked
from diaken_cli.models.inventory import Host
from diaken_cli.models.runs import HostLock, Run
from diaken_cli.store import hosts
from diaken_cli.store.dead_runs import DIED, HAS_ORPHANS
from diaken_cli.store.engines import Database
from diaken_cli.store.locks import lock_hosts, refuse_locked
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.steps import (
    NumberedResult,
    fail_running_steps,
    last_step_end,
    set_step,
    write_hosts,
)
from diaken_cli.store.tasks import claim_moment, update_task
from diaken_cli.types import RunKind, RunStatus, StepStatus, TargetType, Trigger

Payload = TypeVar("Payload")
RESUMABLE = (RunStatus.FAILED, RunStatus.CANCELED, RunStatus.INTERRUPTED, RunStatus.PAUSED)


@dataclass(frozen=True)
class NewRun:
    """A run to begin; `request` is what was asked for.

    One of a scheduled task carries out the task's moment `due_at`.
    """

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


@dataclass(frozen=True)
class Selection(Generic[Payload]):
    """What is to be begun: a new run, or the number of one that is resumed; and its hosts.

    The hosts are those that it locks. `payload` is what its flow has chosen to do there.
    """

    run: NewRun | int
    hosts: tuple[HostRecord, ...]
    payload: Payload


Select = Callable[[], Selection[Payload]]
"""Chooses what a run is about, in the transaction that records it and takes its locks.

It reads the store as it stands, and nobody else can write meanwhile; it must not write itself.
Whatever it raises, nothing is recorded.
"""


@dataclass(frozen=True)
class Attempt:
    """One process that carries out a run: the name of its lock file, and where it lives."""

    lock: str
    node: str
    pid: int


@dataclass(frozen=True)
class HeldRun(Generic[Payload]):
    """A run that this process holds, with its locked hosts, and the payload of its selection.

    `uid` is its identity in vCenter, `error` that of a resumed run before.
    """

    id: int
    uid: str
    kind: RunKind
    target: str
    playbook: str | None
    request: dict[str, Any]
    hosts: tuple[HostRecord, ...]
    payload: Payload
    resumed: bool = False
    error: dict[str, Any] | None = None


class Runs:
    """Begins and ends runs; takes and frees the locks of hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, select: Select[Payload], attempt: Attempt, now: datetime) -> HeldRun[Payload]:
        """Record the run that `select` chooses, and lock all its hosts, or do nothing.

        Raises what `select` raises; Locked naming the holder of a host; Conflict where the moment
        of a task, or a run that is to be resumed, is another process's by now.
        """
        with self._database.writing(durable=True) as session:
            selection = select()
            host_ids = [host.id for host in selection.hosts]
            error = None
            if isinstance(selection.run, int):
                run, error = _resume(session, selection.run, attempt, now)
                refuse_locked(session, host_ids, unless=run.id)
                session.execute(delete(HostLock).where(col(HostLock.run_id) == run.id))
            else:
                refuse_locked(session, host_ids)
                run = _insert_run(session, selection.run, len(host_ids), attempt, now)
            run_id = run.id or 0
            lock_hosts(session, run_id, host_ids)
        return HeldRun(
            id=run_id,
            uid=run.uid,
            kind=run.kind,
            target=run.target,
            playbook=run.playbook,
            request=run.request,
            hosts=selection.hosts,
            payload=selection.payload,
            resumed=isinstance(selection.run, int),
            error=error,
        )

    def pause(
        self, run_id: int, lock: str, until: datetime | None, results: Iterable[NumberedResult] = ()
    ) -> None:
        """Let a run wait for a person, or for a moment: no process, its locks stand.

        What it did on its hosts so far is stored.
        """
        with self._database.writing(durable=True) as session:
            write_hosts(session, run_id, results)
            session.execute(
                update(Run)
                .where(*_held_by_attempt(run_id, lock))
                .values(status=RunStatus.PAUSED, lock=None, paused_until=until)
            )

    def finish(
        self,
        run_id: int,
        lock: str,
        status: RunStatus,
        error: dict[str, Any] | None,
        now: datetime,
        results: Iterable[NumberedResult] = (),
    ) -> None:
        """Write how a run ended, and on each of its hosts, and free them.

        A run that was given up stays as it is.
        """
        with self._database.writing() as session:
            write_hosts(session, run_id, results)
            end_run(session, run_id, lock, status, error, now)

    def withdraw(self, run_id: int, lock: str) -> bool:
        """Forget a run that has changed nothing, with all that is recorded of it.

        Whether it was still this attempt's: one that was given up meanwhile stays as it is.
        """
        withdrawn = delete(Run).where(*_held_by_attempt(run_id, lock)).returning(col(Run.id))
        with self._database.writing() as session:
            return session.execute(withdrawn).scalar_one_or_none() is not None

    def free_host(self, run_id: int, host_id: int) -> None:
        """Free one host before the run has ended: it does nothing more there."""
        with self._database.writing() as session:
            session.execute(
                delete(HostLock).where(
                    col(HostLock.run_id) == run_id, col(HostLock.host_id) == host_id
                )
            )

    def locked(self) -> dict[int, int]:
        """The run that holds a host, by the host's number."""
        with self._database.reading() as session:
            return dict(session.exec(select(HostLock.host_id, HostLock.run_id)).all())


class Deploys:
    """The hosts that deploys make: reserved by name and address, tied to a VM, put into use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, run_id: int, name: str, values: HostValues, now: datetime) -> HostRecord:
        """Add the host that a deploy makes, not active yet, and lock it.

        Raises InvalidInput where the name or the address is in use.
        """
        with self._database.writing(durable=True) as session:
            host = hosts.insert_host(session, name, values, now, deployed_by=run_id)
            lock_hosts(session, run_id, [host.id])
        return host

    def host(self, run_id: int) -> HostRecord | None:
        """The host that a deploy added and still holds, if there is one."""
        with self._database.reading() as session:
            query = hosts.select_hosts().where(col(Host.deployed_by) == run_id)
            return next(iter(hosts.records(session, query)), None)

    def unregister(self, run_id: int) -> None:
        """Take back the host that a deploy added; one that is active by now stays."""
        condition = (col(Host.deployed_by) == run_id, col(Host.active).is_(False))
        with self._database.writing() as session:
            session.execute(delete(HostLock).where(col(HostLock.run_id) == run_id))
            session.execute(delete(Host).where(*condition))

    def note_vm(self, host_id: int, vm_uuid: str) -> None:
        """Tie a host that a deploy holds to its VM, also where that is not its first one."""
        with self._database.writing(durable=True) as session:
            hosts.set_vm(session, host_id, vm_uuid, anew=True)

    def activate(
        self,
        run_id: int,
        lock: str,
        host_id: int,
        position: int,
        now: datetime,
        *,
        results: Iterable[NumberedResult],
        last_look: Callable[[], None],
    ) -> None:
        """Put a deployed host into use and record the run's success, all at once.

        `position` is that of the step that does so. What `last_look` raises leaves all as it was:
        it may have had to wait for other writers.
        """
        with self._database.writing(durable=True) as session:
            last_look()
            write_hosts(session, run_id, results)
            hosts.set_active(session, host_id)
            set_step(session, run_id, position, StepStatus.SUCCESS, now)
            end_run(session, run_id, lock, RunStatus.SUCCESS, None, now)


# ── statements, in the caller's transaction ──────────────────────────────────────────────────────


def end_run(
    session: Session,
    run_id: int,
    lock: str,
    status: RunStatus,
    error: dict[str, Any] | None,
    now: datetime,
    *,
    keep_locks: bool = False,
) -> None:
    """Write how a run ended, in the caller's transaction.

    `keep_locks`: its hosts stay locked, and it keeps the name of its lock file.
    """
    ended = (
        update(Run)
        .where(*_held_by_attempt(run_id, lock))
        .values(status=status, error=error, finished_at=now, lock=lock if keep_locks else None)
        .returning(col(Run.kind))
    )
    kind = session.execute(ended).scalar_one_or_none()
    if kind is not None and not keep_locks:
        session.execute(delete(HostLock).where(col(HostLock.run_id) == run_id))
    if kind is RunKind.DEPLOY:
        if status is not RunStatus.INTERRUPTED:  # one that is taken up looks at what it had begun
            # This process has ended its own steps: what still runs is of an attempt that died.
            fail_running_steps(session, run_id, DIED, None)
    elif kind is not None:
        fail_running_steps(
            session,
            run_id,
            "it did not end" if error is None else str(error["message"]),
            None if status is RunStatus.INTERRUPTED else now,  # nobody knows when it died
        )


def _held_by_attempt(run_id: int, lock: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Run.id) == run_id,
        col(Run.lock) == lock,
        col(Run.status) == RunStatus.RUNNING,
    )


def _insert_run(session: Session, new: NewRun, hosts: int, attempt: Attempt, now: datetime) -> Run:
    task_id = new.scheduled_task_id
    if task_id is not None and not claim_moment(session, task_id, new.due_at):
        raise Conflict("another process already runs the task for this time", code="taken")
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
        scheduled_task_id=task_id,
        due_at=new.due_at,
        request=new.request,
        status=RunStatus.RUNNING,
        started_at=now,
        hosts=hosts,
    )
    session.add(run)
    session.flush()
    if task_id is not None:
        update_task(session, task_id, last_run_id=run.id, error=None)
    return run


def _resume(
    session: Session, run_id: int, attempt: Attempt, now: datetime
) -> tuple[Run, dict[str, Any] | None]:
    """Resume a run that has not ended well; the run, and the error that it had.

    Raises Conflict where it can't be.
    """
    if session.exec(select(Run.id).where(Run.id == run_id, *HAS_ORPHANS)).first() is not None:
        raise Locked(
            f"run {run_id} died, and its tasks may still be running on its hosts",
            run=run_id,
            by_itself=True,
        )
    error, ended = session.exec(
        select(Run.error, Run.finished_at).where(Run.id == run_id)
    ).first() or (None, None)
    ended = ended or last_step_end(session, run_id)  # of one that is paused
    idle = max(0.0, (now - ended).total_seconds()) if ended else 0.0
    statement = (
        update(Run)
        .where(col(Run.id) == run_id, col(Run.status).in_(RESUMABLE), col(Run.lock).is_(None))
        .values(
            status=RunStatus.RUNNING,
            lock=attempt.lock,
            node=attempt.node,
            pid=attempt.pid,
            error=None,
            finished_at=None,
            paused_until=None,
            idle_seconds=Run.idle_seconds + idle,
        )
        .returning(col(Run.id))
    )
    if session.execute(statement).scalar_one_or_none() is None:
        raise Conflict(
            f"run {run_id} is running, or succeeded",
            hint=f"See: diaken history show {run_id}",
        )
    return session.get_one(Run, run_id), None if error is None else dict(error)
