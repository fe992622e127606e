"""A recorded run that works on snapshots, and the log file that says what was done to each."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from diaken_cli import files
from diaken_cli.actions.run.targets import RunTarget, active_hosts
from diaken_cli.actions.snapshots.host_vms import HostProblem, HostSnapshot, Problem
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import AccessError, Conflict, OperationFailed
from diaken_cli.events import Emit, Event, HostFinished, SnapshotFinished, Warned
from diaken_cli.outcome import StepEnd
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import Step, execute_steps
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.types import (
    HostResult,
    HostStatus,
    RunKind,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
)


@dataclass
class SnapshotRun:
    """A run that works on snapshots, and what failed, was skipped or stopped on which host.

    `request` names the snapshot; `hosts` are those of its target as they are while it holds their
    locks; `emit` also writes to the log of snapshots.
    """

    request: str
    run: ActiveRun
    hosts: tuple[HostRecord, ...]
    emit: Emit
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def note_missing(self, missing: HostProblem) -> None:
        """Note why nothing was done on a host: without a vCenter it is skipped, else failed."""
        name = missing.host.name
        if missing.problem is Problem.NO_VCENTER:
            self.skipped[name] = missing.reason
            return
        self.failed[name] = missing.reason
        if self.run.stop.requested():
            self.stopped.add(name)

    def finish(self, action: SnapshotAction, chosen: HostSnapshot, error: str | None) -> None:
        """Tell that a snapshot was removed or reverted to, or could not be."""
        if error is not None:
            self.note_missing(HostProblem(chosen.host, Problem.TASK_FAILED, error))
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


def run_step(
    context: Context,
    target: RunTarget,
    action: SnapshotAction,
    snapshot: str,
    show: Emit,
    work: Callable[[SnapshotRun], None],
    *,
    wait: float,
    log_file: Path | None,
) -> None:
    """Run `work` as the one step of a recorded run; afterwards come the results of its hosts.

    While another run holds a host, it is tried again for `wait` seconds. Raises Conflict where a
    host stays locked or was made inactive, OperationFailed where every host failed, Canceled.
    """
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        request={"v": 1, "action": action, "snapshot": snapshot},
        user=account(),
    )

    def select() -> Selection[None]:
        return Selection(new, _current_hosts(context.store, target), None)

    step = Step[SnapshotRun, str](
        name=action,
        describe=lambda snapshot: f"{action} the snapshot “{snapshot}”",
        do=partial(_work_and_report, action, work),
    )
    with begin(context, select, subscribers=[show], wait=wait) as (run, _):
        emit = log_snapshots(run.emit, log_file)
        execute_steps([step], SnapshotRun(snapshot, run, run.hosts, emit), {})


def _current_hosts(store: Store, target: RunTarget) -> tuple[HostRecord, ...]:
    """The hosts of a target as they are by now. Raises Conflict where there is none in use."""
    if target.id is not None:
        hosts = active_hosts(store, target.type, target.id)
    else:
        inventory = {host.id: host for host in store.inventory.hosts(include_inactive=True)}
        hosts = tuple(inventory.get(host.id, host) for host in target.hosts)
    if not hosts:
        raise Conflict(f"no active host of {target.type} {target.name} is left", code="inactive")
    for host in hosts:
        if not host.active:
            raise Conflict(
                f"host {host.name} is inactive",
                code="inactive",
                hint=f"See: diaken hosts set {host.name} --active",
            )
    return hosts


def _work_and_report(
    action: SnapshotAction, work: Callable[[SnapshotRun], None], flow: SnapshotRun
) -> StepEnd:
    """Do the work, and emit the result of each host. Raises OperationFailed where none is good."""
    work(flow)
    results = [_result(flow, host, action) for host in flow.hosts]
    for result in results:
        flow.run.emit(HostFinished(result=result, canceled=result.canceled))
    flow.run.stop.check()
    if results and all(result.status is not HostStatus.SUCCESS for result in results):
        name, reason = next(iter((flow.failed | flow.skipped).items()))
        raise OperationFailed(f"{action} failed on {name}: {reason}", code="snapshot_failed")
    return StepEnd(StepStatus.FAILED if flow.failed else StepStatus.SUCCESS)


def _result(flow: SnapshotRun, host: HostRecord, action: SnapshotAction) -> HostResult:
    if host.name in flow.failed:
        reason = flow.failed[host.name]
        if host.name in flow.stopped:
            return HostResult.canceled_in(host.name, host.ip, action, reason)
        return HostResult(host.name, host.ip, HostStatus.FAILED, message=reason)
    if host.name in flow.skipped:
        reason = flow.skipped[host.name]
        return HostResult(host.name, host.ip, HostStatus.SKIPPED, message=reason)
    return HostResult(host.name, host.ip, HostStatus.SUCCESS)


# ── the log of snapshots: a line for each one made, removed, reverted to or failed ───────────────


LOGGED = (SnapshotStatus.SUCCESS, SnapshotStatus.REMOVED, SnapshotStatus.FAILED)


def log_snapshots(emit: Emit, path: Path | None) -> Emit:
    """`emit`, which also appends what is done to snapshots to the log file; None: there is none.

    Raises AccessError at once where the file can't be appended to.
    """
    if path is None:
        return emit
    _append(path, "")

    def log_and_emit(event: Event) -> None:
        if isinstance(event, SnapshotFinished) and event.status in LOGGED:
            try:
                _append(path, log_line(event) + "\n")
            except AccessError as error:  # it was writable at the beginning; the work goes on
                emit(Warned(message=error.message))
        emit(event)

    return log_and_emit


def log_line(event: SnapshotFinished) -> str:
    """One line: the moment in UTC, what was done, and to what; texts are JSON strings."""
    words = [
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        event.action,
        "failed" if event.status is SnapshotStatus.FAILED else "done",
        f"host={event.host}",
        f"vcenter={event.vcenter}",
        f"id={event.id or '-'}",
        f"name={json.dumps(event.name, ensure_ascii=False)}",
    ]
    if event.error is not None:
        words.append(f"error={json.dumps(event.error, ensure_ascii=False)}")
    return " ".join(words)


def _append(path: Path, text: str) -> None:
    """One write of one line: lines of processes that log at the same time don't mix."""
    try:
        with files.open_to_write(path, os.O_APPEND | os.O_CREAT) as log:
            files.write_all(log, text.encode())
    except OSError as fault:
        raise AccessError(
            f"the snapshot log {path} can't be written: {fault.strerror}",
            hint="Name another file with --log-file, or in [snapshots] log_file.",
        ) from fault
