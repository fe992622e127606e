"""The steps of a run, written down while it goes on: one that dies has said what it did."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from diaken_cli.models.results import (
    RunHost,
    RunSnapshot,
    RunStep,
    RunStepHost,
)
from diaken_cli.models.runs import Run
from diaken_cli.store.engines import Database
from diaken_cli.types import HostResult, HostStatus, StepStatus

if TYPE_CHECKING:  # what only looks at the store does without them
    from diaken_cli.events import SnapshotFinished


NumberedResult = tuple[HostResult, int | None]
"""What a run did on one host, and the host's number in the inventory, where it has one."""


class Steps:
    """Writes what steps did, and the snapshots that were taken, each in a transaction of its own.

    What is noted before an effect is on the disk before it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        run_id: int,
        position: int,
        name: str,
        detail: str | None,
        now: datetime,
        *,
        batch: int | None = None,
    ) -> None:
        """Note that a step begins, before its first effect; one that is begun again keeps facts."""
        running = {"status": StepStatus.RUNNING, "started_at": now, "detail": detail}
        key = {"run_id": run_id, "position": position}
        begun = self._database.insert_or_update(
            RunStep,
            {**key, **running, "name": name, "facts": {"v": 1}, "batch": batch},
            key=list(key),
            changes={**running, "finished_at": None},
        )
        stale = delete(RunStepHost).where(
            col(RunStepHost.run_id) == run_id, col(RunStepHost.position) == position
        )
        with self._database.writing(durable=True) as session:
            session.execute(begun)
            session.execute(stale)  # of an attempt that is done again

    def end(
        self,
        run_id: int,
        position: int,
        status: StepStatus,
        detail: str | None,
        now: datetime,
        results: Iterable[HostResult] = (),
    ) -> None:
        """Note how a step ended, and on which host how."""
        with self._database.writing() as session:
            set_step(session, run_id, position, status, now, detail)
            for result in results:
                own = {"run_id": run_id, "position": position}
                session.merge(RunStepHost(**(own | _columns(result))))

    def begin_undoing(self, run_id: int, position: int) -> None:
        """Note that a step is being undone, and until when it had done its own work.

        Where it died at that, nobody knows until when.
        """
        with self._database.writing(durable=True) as session:
            step = _step(session, run_id, position)
            ended = step.finished_at
            worked_until = None if ended is None else ended.isoformat()
            new = {"undoing": True, "worked_until": worked_until, "left_because": None}
            step.facts = step.facts | new

    def note_facts(self, run_id: int, position: int, facts: dict[str, Any]) -> None:
        """Add what undoing and resuming will need to know, as soon as it is known."""
        with self._database.writing(durable=True) as session:
            step = _step(session, run_id, position)
            step.facts = step.facts | facts

    def add_snapshot(self, run_id: int, snapshot: "SnapshotFinished") -> None:
        """Store what became of a snapshot."""
        with self._database.writing() as session:
            session.add(
                RunSnapshot(
                    run_id=run_id,
                    host=snapshot.host,
                    vcenter=snapshot.vcenter,
                    vm_uuid=snapshot.vm_uuid,
                    action=snapshot.action,
                    name=snapshot.name,
                    ref=snapshot.id,
                    status=snapshot.status,
                    error=snapshot.error,
                    at=snapshot.at,
                )
            )


def write_hosts(session: Session, run_id: int, results: Iterable[NumberedResult]) -> None:
    """Store what a run did on its hosts, and its totals, in the caller's transaction."""
    results = list(results)
    if not results:
        return
    for result, host_id in results:
        own = {"run_id": run_id, "host_id": host_id, "ip": result.ip}
        session.merge(RunHost(**(own | _columns(result))))
    session.flush()
    _count_hosts(session, run_id)


def _columns(result: HostResult) -> dict[str, Any]:
    return {
        "host": result.host,
        "status": result.status,
        "ok": result.counters.ok,
        "changed": result.counters.changed,
        "failed": result.counters.failed,
        "unreachable": result.counters.unreachable,
        "skipped": result.counters.skipped,
        "ignored": result.counters.ignored,
        "failed_task": result.failed_task,
        "message": result.message,
    }


def _step(session: Session, run_id: int, position: int) -> RunStep:
    return session.get_one(RunStep, (run_id, position))


def set_step(
    session: Session,
    run_id: int,
    position: int,
    status: StepStatus,
    now: datetime,
    detail: str | None = None,
) -> None:
    """Note how a step ended, in the caller's transaction."""
    values: dict[str, Any] = {"status": status, "finished_at": now}
    if detail is not None:
        values["detail"] = detail
    session.execute(
        update(RunStep)
        .where(col(RunStep.run_id) == run_id, col(RunStep.position) == position)
        .values(values)
    )


def last_step_end(session: Session, run_id: int) -> datetime | None:
    """When the last step of a run that has ended did so."""
    ends = select(func.max(RunStep.finished_at)).where(RunStep.run_id == run_id)
    return session.exec(ends).first()


def fail_running_steps(
    session: Session, run_id: int, detail: str, finished_at: datetime | None
) -> None:
    """Note that a run ended in the middle of a step, in the caller's transaction."""
    session.execute(
        update(RunStep)
        .where(col(RunStep.run_id) == run_id, col(RunStep.status) == StepStatus.RUNNING)
        .values(status=StepStatus.FAILED, detail=detail, finished_at=finished_at)
    )


def _count_hosts(session: Session, run_id: int) -> None:
    counts = dict(
        session.exec(
            select(RunHost.status, func.count())
            .where(RunHost.run_id == run_id)
            .group_by(RunHost.status)
        ).all()
    )
    session.execute(
        update(Run)
        .where(col(Run.id) == run_id)
        .values(
            hosts=sum(counts.values()),
            ok_hosts=counts.get(HostStatus.SUCCESS, 0),
            failed_hosts=counts.get(HostStatus.FAILED, 0),
            unreachable_hosts=counts.get(HostStatus.UNREACHABLE, 0),
            skipped_hosts=counts.get(HostStatus.SKIPPED, 0),
            aborted_hosts=counts.get(HostStatus.ABORTED, 0),
        )
    )
