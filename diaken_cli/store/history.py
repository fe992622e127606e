"""What was done: runs with their steps, hosts, snapshots and output, read back."""

from typing import Any

from sqlalchemy import Select
from sqlmodel import Session, col, select

from diaken_cli.models import Run, RunHost, RunOutput, RunSnapshot, RunStep, ScheduledTask, TaskName
from diaken_cli.store.engine import Database
from diaken_cli.store.outputs import unpack
from diaken_cli.store.runs import (
    OutputLine,
    RunDetail,
    RunFilter,
    RunRecord,
    SnapshotRecord,
    StepRecord,
)
from diaken_cli.words import HostCounters, HostResult, RunKind, RunStatus, StepStatus, TargetType


class History:
    """Reads the record of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, run_id: int) -> RunDetail | None:
        """A run with its steps, hosts and snapshots, or None."""
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
            snapshots = session.exec(
                select(RunSnapshot)
                .where(RunSnapshot.run_id == run_id)
                .order_by(RunSnapshot.host, col(RunSnapshot.id))
            ).all()
        return RunDetail(
            run=runs[0],
            steps=tuple(map(_step, steps)),
            hosts=tuple(map(_host, hosts)),
            snapshots=tuple(
                SnapshotRecord(each.host, each.name, each.status, each.ref, each.error)
                for each in snapshots
            ),
        )

    def select(self, wanted: RunFilter) -> list[RunRecord]:
        """The runs that fit, the newest first."""
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
            of_host = select(RunHost.run_id).where(RunHost.host == wanted.host)
            query = query.where(
                (col(Run.id).in_(of_host))
                | ((col(Run.target) == wanted.host) & (col(Run.target_type) != TargetType.GROUP))
            )
        if wanted.group is not None:
            query = query.where(
                col(Run.target_type) == TargetType.GROUP, col(Run.target) == wanted.group
            )
        if wanted.since is not None:
            query = query.where(col(Run.started_at) >= wanted.since)
        if wanted.until is not None:
            query = query.where(col(Run.started_at) < wanted.until)
        query = query.order_by(col(Run.started_at).desc(), col(Run.id).desc()).limit(wanted.limit)
        with self._database.reading() as session:
            return _records(session, query)

    def output(self, run_id: int, host: str | None = None) -> list[OutputLine]:
        """What Ansible said, in the order in which it said it."""
        chunks = select(RunOutput.host, RunOutput.body).where(RunOutput.run_id == run_id)
        if host is not None:
            chunks = chunks.where(RunOutput.host == host)
        with self._database.reading() as session:
            said = [
                (each, name) for name, body in session.exec(chunks).all() for each in unpack(body)
            ]
            wanted = {each.task_name for each, _ in said}
            names = {
                row.id: row
                for row in session.exec(select(TaskName).where(col(TaskName.id).in_(wanted)))
            }
        said.sort(key=lambda pair: (pair[0].at, pair[0].seq))
        return [
            OutputLine(
                host=name,
                playbook=names[each.task_name].playbook,
                play=names[each.task_name].play,
                task=names[each.task_name].task,
                item=each.item,
                result=each.result,
                at=each.at,
                seconds=each.milliseconds / 1000,
                message=each.message,
                text=each.text,
            )
            for each, name in said
        ]


def _runs() -> Select[Any]:
    return select(Run, ScheduledTask.name).outerjoin(
        ScheduledTask, col(ScheduledTask.id) == col(Run.scheduled_task_id)
    )  # type: ignore[return-value]  # sqlmodel's own Select is one


def _records(session: Session, query: Select[Any]) -> list[RunRecord]:
    """The runs of a query; what a failed deploy left behind comes with one query for all."""
    rows = session.execute(query).all()
    unfinished = [
        run.id
        for run, _ in rows
        if run.kind is RunKind.DEPLOY and run.status not in (RunStatus.SUCCESS, RunStatus.RUNNING)
    ]
    left: dict[int, list[StepRecord]] = {}
    if unfinished:
        steps = session.exec(
            select(RunStep)
            .where(
                col(RunStep.run_id).in_(unfinished),
                col(RunStep.name).in_(("register", "clone")),
                RunStep.status != StepStatus.UNDONE,
            )
            .order_by(col(RunStep.run_id), col(RunStep.position))
        )
        for step in steps:
            if not step.facts.get("undone"):
                left.setdefault(step.run_id, []).append(_step(step))
    return [_record(run, task, tuple(left.get(run.id, ()))) for run, task in rows]


def _record(run: Run, task: str | None, leftovers: tuple[StepRecord, ...]) -> RunRecord:
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
        hosts=run.hosts,
        ok_hosts=run.ok_hosts,
        failed_hosts=run.failed_hosts,
        unreachable_hosts=run.unreachable_hosts,
        skipped_hosts=run.skipped_hosts,
        leftovers=leftovers,
    )


def _step(row: RunStep) -> StepRecord:
    return StepRecord(row.name, row.status, row.started_at, row.finished_at, row.detail, row.facts)


def _host(row: RunHost) -> HostResult:
    return HostResult(
        host=row.host,
        ip=row.ip,
        status=row.status,
        counters=HostCounters(row.ok, row.changed, row.failed, row.unreachable, row.skipped),
        failed_task=row.failed_task,
        message=row.message,
    )
