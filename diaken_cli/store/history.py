"""What was done: runs with their steps, hosts, snapshots and output, read back and thinned out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from diaken_cli.errors import NoRoom
from diaken_cli.models.inventory import Host
from diaken_cli.models.results import (
    RunHost,
    RunSnapshot,
    RunStep,
    RunStepHost,
)
from diaken_cli.models.runs import HostLock, Run
from diaken_cli.models.schedules import ScheduledTask
from diaken_cli.store.engines import Database
from diaken_cli.store.run_records import (
    RecordedSnapshot,
    RunDetail,
    RunFilter,
    RunRecord,
    SnapshotRecord,
    StepRecord,
)
from diaken_cli.types import (
    DeployStep,
    HostCounters,
    HostResult,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TargetType,
)

LARGEST_NUMBER = 2**63 - 1  # what an INTEGER of SQLite holds
BATCH_SIZE = 500
"""Runs that one transaction removes, so that others can write in between; and ids in a query."""


class History:
    """Reads the record of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, run_id: int) -> RunDetail | None:
        """A run with its steps, hosts and snapshots, or None."""
        if run_id > LARGEST_NUMBER:
            return None
        with self._database.reading() as session:
            runs = _records(session, _runs().where(col(Run.id) == run_id))
            if not runs:
                return None
            steps = session.exec(
                select(RunStep).where(RunStep.run_id == run_id).order_by(col(RunStep.position))
            ).all()
            hosts = session.exec(
                select(RunHost).where(RunHost.run_id == run_id).order_by(RunHost.host)
            ).all()
            snapshots = session.execute(_snapshots_of(run_id)).all()
        return RunDetail(
            run=runs[0],
            steps=tuple(map(_step, steps)),
            hosts=tuple(map(_host, hosts)),
            snapshots=tuple(
                SnapshotRecord(
                    *(snapshot.host, snapshot.name, snapshot.status, snapshot.ref, snapshot.error),
                    removed_by=removed_by,
                )
                for snapshot, removed_by in snapshots
            ),
        )

    def step_results(self, run_id: int) -> list[tuple[int, HostResult]]:
        """What each step of a run did on its hosts, by the position of the step."""
        query = (
            select(RunStepHost, func.coalesce(RunHost.ip, Host.ip, ""))
            .outerjoin(
                RunHost,
                and_(
                    col(RunHost.run_id) == col(RunStepHost.run_id),
                    col(RunHost.host) == col(RunStepHost.host),
                ),
            )
            .outerjoin(Host, col(Host.name) == col(RunStepHost.host))
            .where(col(RunStepHost.run_id) == run_id)
            .order_by(col(RunStepHost.position), col(RunStepHost.host))
        )
        with self._database.reading() as session:
            return [(row.position, _result(row, ip)) for row, ip in session.execute(query)]

    def select(self, wanted: RunFilter) -> list[RunRecord]:
        """List the runs that started last, the highest number first."""
        query = _runs()
        for column, value in (
            (Run.status, wanted.status),
            (Run.kind, wanted.kind),
            (Run.environment, wanted.environment),
            (Run.playbook, wanted.playbook),
            (ScheduledTask.name, wanted.task),
        ):
            if value is not None:
                query = query.where(col(column) == value)
        if wanted.host is not None:
            query = query.where(_of_host(wanted.host))
        if wanted.group is not None:
            query = query.where(
                col(Run.target_type) == TargetType.GROUP, col(Run.target) == wanted.group
            )
        if wanted.since is not None:
            query = query.where(col(Run.started_at) >= wanted.since)
        if wanted.until is not None:
            query = query.where(col(Run.started_at) < wanted.until)
        # In the order of the indexes: by number, a filter would have all runs read and sorted.
        query = query.order_by(col(Run.started_at).desc(), col(Run.id).desc()).limit(wanted.limit)
        with self._database.reading() as session:
            return sorted(_records(session, query), key=lambda run: run.id, reverse=True)

    def snapshots_taken(self, vcenter: str, ids: Sequence[str]) -> frozenset[RecordedSnapshot]:
        """Those of a vCenter's snapshots with these ids that runs of this database took."""
        recorded: set[RecordedSnapshot] = set()
        with self._database.reading() as session:
            for first in range(0, len(ids), BATCH_SIZE):
                query = select(RunSnapshot.vm_uuid, RunSnapshot.ref).where(
                    RunSnapshot.vcenter == vcenter,
                    col(RunSnapshot.ref).in_(ids[first : first + BATCH_SIZE]),
                    RunSnapshot.action == SnapshotAction.CREATE,
                    RunSnapshot.status == SnapshotStatus.SUCCESS,
                )
                for uuid, ref in session.exec(query):
                    recorded.add((vcenter, (uuid or "").casefold(), ref or ""))
        return frozenset(recorded)

    # ── thinning out ─────────────────────────────────────────────────────────────────────────

    def count_old(self, before: datetime) -> tuple[int, int]:
        """How many runs that began before may be removed, and how many have to stay."""
        began = col(Run.started_at) < before
        with self._database.reading() as session:
            all_of_them = session.execute(select(func.count()).where(began)).scalar_one()
            removable = select(func.count()).where(began, _ended_before(before), ~_has_leftovers())
            count = session.execute(removable).scalar_one()
        return count, all_of_them - count

    def remove_old(self, before: datetime) -> int:
        """Remove the runs that ended before, with all that belongs to them; how many they were.

        One that goes on, and a deploy that has left something, stays. Each transaction removes a
        few hundred, so that runs which go on can write in between; fewer where the disk has no
        room to note so many.
        """
        old = (
            select(Run.id)
            .where(col(Run.started_at) < before, _ended_before(before), ~_has_leftovers())
            .order_by(col(Run.started_at))
        )
        removed, batch_size = 0, BATCH_SIZE
        while True:
            try:
                with self._database.writing() as session:
                    batch = session.exec(old.limit(batch_size)).all()
                    session.execute(delete(Run).where(col(Run.id).in_(batch)))
            except NoRoom:
                if batch_size == 1:
                    raise
                self._database.make_room()
                batch_size = max(1, batch_size // 8)
                continue
            removed += len(batch)
            if len(batch) < batch_size:
                return removed


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def _runs() -> Select[Any]:
    return select(Run, ScheduledTask.name).outerjoin(
        ScheduledTask, col(ScheduledTask.id) == col(Run.scheduled_task_id)
    )  # type: ignore[return-value]  # sqlmodel's own Select is one


# A step that failed goes on saying so after it was undone: its facts have it. Of a success all that
# may be left is the identity of the run on its VM.
_IS_LEFTOVER = case(
    (
        col(Run.status) == RunStatus.SUCCESS,
        (col(RunStep.name) == DeployStep.ACTIVATE)  # it removes the run's identity from the VM
        & col(RunStep.facts)["unmarked"].as_boolean().is_not(True),
    ),
    else_=(
        col(RunStep.name).in_((DeployStep.REGISTER, DeployStep.CLONE))
        & (col(RunStep.status) != StepStatus.UNDONE)
        & col(RunStep.facts)["undone"].as_boolean().is_not(True)
    ),
)


def _records(session: Session, query: Select[Any]) -> list[RunRecord]:
    """The runs of a query; what was left behind, or not taken, comes with one query for all."""
    rows = session.execute(query).all()
    deploys = [
        run.id
        for run, _ in rows
        if run.kind is RunKind.DEPLOY and run.status is not RunStatus.RUNNING
    ]
    left: dict[int, list[StepRecord]] = {}
    if deploys:
        steps = session.exec(
            select(RunStep)
            .join(Run, col(Run.id) == col(RunStep.run_id))
            .where(col(RunStep.run_id).in_(deploys), _IS_LEFTOVER)
            .order_by(col(RunStep.run_id), col(RunStep.position))
        )
        for step in steps:
            left.setdefault(step.run_id, []).append(_step(step))
    snapshots = _snapshots(session, [run for run, _ in rows])
    return [
        _record(run, task, tuple(left.get(run.id, ())), snapshots.get(run.id)) for run, task in rows
    ]


def _snapshots(session: Session, runs: Iterable[Run]) -> dict[int | None, tuple[int, int]]:
    """Of how many hosts a run took the snapshot that it was to take, and of how many it did not.

    Runs that were to take none are left out.
    """
    wanted = [
        run.id
        for run in runs
        if (run.kind == RunKind.PLAYBOOK and run.request.get("snapshot"))
        or run.request.get("action") == SnapshotAction.CREATE
    ]
    if not wanted:
        return {}
    taken = col(RunSnapshot.status) == SnapshotStatus.SUCCESS
    counted = (
        select(RunSnapshot.run_id, taken, func.count(func.distinct(RunSnapshot.host)))
        .where(
            col(RunSnapshot.run_id).in_(wanted),
            RunSnapshot.action == SnapshotAction.CREATE,
        )
        .group_by(col(RunSnapshot.run_id), taken)
    )
    counts = {(run, bool(known)): count for run, known, count in session.execute(counted)}
    return {run: (counts.get((run, True), 0), counts.get((run, False), 0)) for run in wanted}


def _snapshots_of(run_id: int) -> Select[Any]:
    """The snapshots of a run, each with the number of the run that removed it later, or NULL."""
    removal = aliased(RunSnapshot)
    removed_by = (
        select(func.max(removal.run_id))
        .where(
            col(removal.vcenter) == col(RunSnapshot.vcenter),
            col(removal.ref) == col(RunSnapshot.ref),
            _vm_uuid(removal) == _vm_uuid(RunSnapshot),  # a new vCenter has the same references
            col(removal.status) == SnapshotStatus.REMOVED,
            col(removal.run_id) > run_id,
            col(RunSnapshot.action) == SnapshotAction.CREATE,
        )
        .scalar_subquery()
    )
    query = select(RunSnapshot, removed_by).where(RunSnapshot.run_id == run_id)
    return query.order_by(RunSnapshot.host, col(RunSnapshot.id))  # type: ignore[return-value]


def _vm_uuid(table: type[RunSnapshot]) -> ColumnElement[str]:
    return func.lower(func.coalesce(table.vm_uuid, ""))


def _of_host(name: str) -> ColumnElement[bool]:
    """The runs that are about a host: by their results, their target, or their lock on it."""
    results = select(RunHost.run_id).where(RunHost.host == name)
    locks = select(HostLock.run_id).join(Host, col(Host.id) == col(HostLock.host_id))
    of_one = col(Run.target_type).in_((TargetType.HOST, TargetType.VM))
    is_target = (col(Run.target) == name) & of_one
    is_locked = col(Run.id).in_(locks.where(Host.name == name))
    return col(Run.id).in_(results) | is_target | is_locked


def _ended_before(moment: datetime) -> ColumnElement[bool]:
    # One that died and may have left something on its hosts has its lock still.
    going_on = (RunStatus.RUNNING, RunStatus.PAUSED)
    ended = col(Run.status).not_in(going_on) & col(Run.lock).is_(None)
    return ended & (col(Run.finished_at) < moment)


def _has_leftovers() -> ColumnElement[bool]:
    """Whether a run is a deploy that has left something."""
    steps = select(RunStep.run_id).where(RunStep.run_id == Run.id, _IS_LEFTOVER)
    return (col(Run.kind) == RunKind.DEPLOY) & steps.exists()


def _record(
    run: Run,
    task: str | None,
    leftovers: tuple[StepRecord, ...],
    snapshots: tuple[int, int] | None,
) -> RunRecord:
    return RunRecord(
        id=run.id or 0,
        uid=run.uid,
        kind=run.kind,
        target_type=run.target_type,
        target=run.target,
        environment=run.environment,
        playbook=run.playbook,
        status=run.status,
        trigger=run.trigger,
        task=task,
        user=run.user,
        node=run.node,
        pid=run.pid,
        lock=run.lock,
        request=run.request,
        error=run.error,
        started_at=run.started_at,
        finished_at=run.finished_at,
        paused_until=run.paused_until,
        hosts=run.hosts,
        ok_hosts=run.ok_hosts,
        failed_hosts=run.failed_hosts,
        unreachable_hosts=run.unreachable_hosts,
        skipped_hosts=run.skipped_hosts,
        aborted_hosts=run.aborted_hosts,
        idle_seconds=run.idle_seconds,
        without_snapshot=snapshots[1] if snapshots else 0,
        with_snapshot=snapshots[0] if snapshots else None,
        leftovers=leftovers,
    )


def _step(row: RunStep) -> StepRecord:
    return StepRecord(
        position=row.position,
        name=row.name,
        status=row.status,
        started_at=row.started_at,
        finished_at=row.finished_at,
        detail=row.detail,
        facts=row.facts,
        batch=row.batch,
    )


def _host(row: RunHost) -> HostResult:
    return _result(row, row.ip)


def _result(row: RunHost | RunStepHost, ip: str) -> HostResult:
    return HostResult(
        host=row.host,
        ip=ip,
        status=row.status,
        counters=HostCounters(
            row.ok, row.changed, row.failed, row.unreachable, row.skipped, row.ignored
        ),
        failed_task=row.failed_task,
        message=row.message,
    )
