"""A recorded run on snapshots: its hosts as they are once locked, and what came of it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from diaken_cli.actions.here import account, now
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import Recording, recorded
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots.log import logging
from diaken_cli.actions.snapshots.survey import HostSnapshot, Missing, Problem
from diaken_cli.errors import Canceled, Conflict, DiakenError, OperationFailed, message_of
from diaken_cli.events import Emit, Event, HostFinished, RunStarted, SnapshotFinished
from diaken_cli.store.claims import Attempt, Begun, NewRun
from diaken_cli.store.records import HostRecord
from diaken_cli.words import (
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
)


@dataclass
class SnapshotRun:
    """A run that works on snapshots, and what failed, was skipped or stopped on which host.

    `hosts` are those of its target as they are while it holds their locks.
    """

    recording: Recording
    hosts: tuple[HostRecord, ...]
    emit: Emit
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def miss(self, missing: Missing) -> None:
        """Note why nothing came of it on a host."""
        name = missing.host.name
        if missing.problem is Problem.NO_VCENTER:
            self.skipped[name] = missing.reason
            return
        self.failed[name] = missing.reason
        if self.recording.stop.requested():
            self.stopped.add(name)

    def finish(self, action: SnapshotAction, chosen: HostSnapshot, error: str | None) -> None:
        """Tell that a snapshot was removed or reverted to, or could not be."""
        if error is not None:
            self.miss(Missing(chosen.host, Problem.TASK_FAILED, error))
        done = SnapshotStatus.REMOVED if action is SnapshotAction.REMOVE else SnapshotStatus.SUCCESS
        self.emit(
            SnapshotFinished(
                action=action,
                host=chosen.host.name,
                vcenter=chosen.host.vcenter,
                name=chosen.snapshot.name,
                status=done if error is None else SnapshotStatus.FAILED,
                id=chosen.snapshot.id,
                vm_uuid=chosen.snapshot.vm_uuid,
                error=error,
            )
        )

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Forget the run where what is found under its locks is refused: it has done nothing."""
        try:
            yield
        except Canceled:
            raise
        except DiakenError:
            self.recording.withdraw()
            raise


@contextmanager
def snapshot_run(
    context: Outside,
    target: RunTarget,
    action: SnapshotAction,
    snapshot: str,
    show: Emit,
    *,
    wait: float,
    log_file: Path | None,
) -> Iterator[SnapshotRun]:
    """A recorded run, which tells of each host at the end and says how it ends.

    For `wait` seconds it is tried again while another run holds a host. Raises Conflict where one
    stays locked or was made inactive, OperationFailed where every host failed, Canceled.
    """
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        request={"v": 1, "action": action, "snapshot": snapshot},
        user=account(),
        host_ids=tuple(host.id for host in target.hosts),
    )
    hosts = target.hosts

    def begin(attempt: Attempt) -> Begun:
        nonlocal hosts
        begun, hosts = _begin(context, new, target, attempt)
        return begun

    def started(number: int) -> RunStarted:
        names = tuple(host.name for host in hosts)
        return RunStarted(
            run=number, kind=RunKind.SNAPSHOT, target=target.name, hosts=names, action=action
        )

    with recorded(context.store, begin, started=started, show=show, wait=wait) as recording:
        recording.begin(0, action, f"{action} the snapshot “{snapshot}”")
        run = SnapshotRun(recording, hosts, serialized(logging(recording.emit, log_file)))
        try:
            with run.deciding():
                _refuse_inactive(hosts)
            yield run
        except BaseException as fault:
            if not recording.withdrawn:
                recording.end(action, StepStatus.FAILED, message_of(fault))
            raise
        _settle(run, action)


def _begin(
    context: Outside, new: NewRun, target: RunTarget, attempt: Attempt
) -> tuple[Begun, tuple[HostRecord, ...]]:
    """Record the run and lock its hosts; these hosts as they are then."""

    def chosen(active: Sequence[HostRecord]) -> Sequence[HostRecord]:
        if not active:
            raise Conflict(
                f"no active host of {target.type} {target.name} is left", code="inactive"
            )
        return active

    claims = context.store.claims
    if target.id is not None:
        return claims.begin_on_target(replace(new, host_ids=()), chosen, attempt, now())
    begun = claims.begin(new, attempt, now())
    inventory = {host.id: host for host in context.store.inventory.hosts(include_inactive=True)}
    return begun, tuple(inventory.get(host.id, host) for host in target.hosts)


def _refuse_inactive(hosts: Sequence[HostRecord]) -> None:
    for host in hosts:
        if not host.active:
            raise Conflict(
                f"host {host.name} is inactive",
                code="inactive",
                hint=f"See: diaken hosts set {host.name} --active",
            )


def _settle(run: SnapshotRun, action: SnapshotAction) -> None:
    """Tell of each host, and say how the run ends."""
    recording = run.recording
    for host in run.hosts:
        recording.knows_host(host.name, host.id)
        result = _result(run, host, action)
        recording.emit(HostFinished(result=result, canceled=result.canceled))
    stopped = recording.stop.requested()
    ended = StepStatus.FAILED if run.failed or stopped else StepStatus.SUCCESS
    recording.end(action, ended, canceled=stopped)
    recording.stop.check()
    if run.failed and len(run.failed) + len(run.skipped) == len(run.hosts):
        name, reason = next(iter(run.failed.items()))
        raise OperationFailed(f"{action} failed on {name}: {reason}", code="snapshot_failed")
    if run.failed or run.skipped:
        recording.ends_as(RunStatus.PARTIAL, None)


def _result(run: SnapshotRun, host: HostRecord, action: SnapshotAction) -> HostResult:
    if host.name in run.failed:
        task = action if host.name in run.stopped else None
        reason = run.failed[host.name]
        return HostResult(host.name, host.ip, HostStatus.FAILED, failed_task=task, message=reason)
    if host.name in run.skipped:
        reason = run.skipped[host.name]
        return HostResult(host.name, host.ip, HostStatus.SKIPPED, message=reason)
    return HostResult(host.name, host.ip, HostStatus.SUCCESS)


def serialized(emit: Emit) -> Emit:
    """`emit` for several threads, one at a time."""
    alone = threading.Lock()

    def emit_alone(event: Event) -> None:
        with alone:
            emit(event)

    return emit_alone
