"""A run as JSON, from what the store has of it, and its events as JSON lines.

Every command prints a run by this.
"""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from diaken_cli.actions.deploy.chosen import recorded_choice
from diaken_cli.errors import Canceled
from diaken_cli.events import Event, HostFinished, RunFinished
from diaken_cli.render.formatting import run_label
from diaken_cli.render.output import utc
from diaken_cli.store.run_records import RunDetail, RunRecord, SnapshotRecord, StepRecord
from diaken_cli.types import DeployStep, HostResult, HostStatus, RunKind, RunStatus, StepStatus

CANCELED = "canceled"  # a host or a step, for people: in JSON it is `failed`


def run_as_row(record: RunRecord) -> dict[str, Any]:
    """A run as a list has it: all but its steps and its hosts."""
    return _common_fields(record) | {"totals": _totals(record)}


def title_of(record: RunRecord) -> str:
    """What a run did, for people: `update (check) on web`, `snapshot revert of web01`."""
    return run_label(record.kind, record.target, record.playbook, record.request)


def run_as_json(detail: RunDetail) -> dict[str, Any]:
    """A run with its steps and its hosts; of a deploy also what it chose.

    A host's `snapshot` is null where the run took none and should take none, `chosen` where nothing
    was chosen yet.
    """
    snapshots = {host: _snapshot(snapshot) for host, snapshot in _last_snapshots(detail).items()}
    choice = {"chosen": recorded_choice(detail)} if detail.run.kind is RunKind.DEPLOY else {}
    return _common_fields(detail.run) | {
        "steps": [_step(step) for step in detail.steps],
        "totals": _totals(detail.run),
        "hosts": [
            host_as_json(host) | {"snapshot": snapshots.get(host.host)} for host in detail.hosts
        ],
        **choice,
    }


def run_for_people(detail: RunDetail) -> dict[str, Any]:
    """The same for people: canceled hosts are called so, and moments are as they are stored.

    Of a canceled run the hosts that it did not reach are left out, for there is nothing to say
    of them. Each step also has when its own work ended, each host its ignored failures,
    and the run that has removed its snapshot since.
    `other_failures` has the hosts that failed and are no targets, and how; None where nobody
    judged it.

    The step in which a run was canceled, or died, says so, where JSON has `failed`.
    """
    run, document = detail.run, run_as_json(detail)
    snapshots = _last_snapshots(detail)
    removed_by = {host: snapshot.removed_by for host, snapshot in snapshots.items()}
    stopped = {host.host for host in detail.hosts if host.canceled}
    ignored = {host.host: host.counters.ignored for host in detail.hosts}
    hosts = [
        host
        | {
            "ignored": ignored[host["host"]],
            "snapshot_removed_by": removed_by.get(host["host"]),
        }
        | ({"status": CANCELED} if host["host"] in stopped else {})
        for host in document["hosts"]
        if not (_was_canceled(run) and host["status"] == HostStatus.SKIPPED)
    ]
    totals, ended = _totals(run), _final_status(run)
    if _was_canceled(run):
        totals["skipped"] = 0
    if stopped:
        totals |= {"failed": totals["failed"] - len(stopped), CANCELED: len(stopped)}
    return document | {
        "totals": totals,
        "hosts": hosts,
        "other_failures": next(
            (step.facts["elsewhere"] for step in detail.steps if "elsewhere" in step.facts), None
        ),
        "started_at": run.started_at.isoformat(),
        "finished_at": _isoformat(run.finished_at),
        "steps": [
            _step(step)
            | {
                "status": step_status(step.status, ended, last=step is detail.steps[-1]),
                "started_at": step.started_at.isoformat(),
                "finished_at": _isoformat(step.finished_at),
                "worked_until": _isoformat(step.worked_until),
            }
            for step in detail.steps
        ],
    }


def step_status(step: StepStatus, run: RunStatus, *, last: bool) -> str:
    """How a step ended, for people: one that was canceled, or that died, did not fail."""
    cut_off = step in (StepStatus.FAILED, StepStatus.RUNNING)
    if last and cut_off and run in (RunStatus.CANCELED, RunStatus.INTERRUPTED):
        return run.value
    return step.value


def _was_canceled(run: RunRecord) -> bool:
    """Whether someone stopped it: also where that left something behind."""
    return run.error is not None and run.error["code"] == Canceled.code


def _final_status(run: RunRecord) -> RunStatus:
    """How the last step ended the run: a deploy that is aborted had failed, or died, before."""
    if run.status is not RunStatus.CANCELED or run.error is None or _was_canceled(run):
        return run.status
    died = run.error["code"] == RunStatus.INTERRUPTED
    return RunStatus.INTERRUPTED if died else RunStatus.FAILED


def _isoformat(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def host_as_json(result: HostResult) -> dict[str, Any]:
    """What a run did on one host, with Ansible's counters; without its snapshot."""
    counters = result.counters
    return {
        "host": result.host,
        "ip": result.ip,
        "status": result.status.value,
        "ok": counters.ok,
        "changed": counters.changed,
        "failed": counters.failed,
        "unreachable": counters.unreachable,
        "skipped": counters.skipped,
        "failed_task": result.failed_task,
        "message": result.message,
    }


def _common_fields(record: RunRecord) -> dict[str, Any]:
    seconds = None
    if record.finished_at is not None:
        total = (record.finished_at - record.started_at).total_seconds()
        seconds = round(max(0.0, total - record.idle_seconds), 1)
    return {
        "id": record.id,
        "kind": record.kind.value,
        "target_type": record.target_type.value,
        "target": record.target,
        "environment": record.environment,
        "playbook": record.playbook,
        "status": record.status.value,
        "trigger": record.trigger.value,
        "task": record.task,
        "user": record.user,
        "node": record.node,
        "error": record.error,
        "leftovers": [_leftover(record, leftover) for leftover in record.leftovers],
        "started_at": utc(record.started_at),
        "finished_at": None if record.finished_at is None else utc(record.finished_at),
        "duration_seconds": seconds,
        "paused_until": None if record.paused_until is None else utc(record.paused_until),
        "without_snapshot": record.without_snapshot,
    }


def _totals(record: RunRecord) -> dict[str, int]:
    return {
        "hosts": record.hosts,
        "success": record.ok_hosts,
        "failed": record.failed_hosts,
        "unreachable": record.unreachable_hosts,
        "skipped": record.skipped_hosts,
        "aborted": record.aborted_hosts,
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "id": step.position + 1,
        "name": step.name,
        "batch": step.batch,
        "status": step.status.value,
        "started_at": utc(step.started_at),
        "finished_at": None if step.finished_at is None else utc(step.finished_at),
        "detail": step.detail,
    }


def _last_snapshots(detail: RunDetail) -> dict[str, SnapshotRecord]:
    """The snapshot that is shown with each host: the last one, where a run worked on several."""
    return {snapshot.host: snapshot for snapshot in detail.snapshots}


def _snapshot(record: SnapshotRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "status": record.status.value,
        "id": record.id,
        "error": record.error,
    }


def _leftover(record: RunRecord, step: StepRecord) -> dict[str, Any]:
    """What a deploy's step has left; `id` is the VM's instance UUID, null where it died before.

    Of a deploy that is a success it is the run's identity, which its VM still bears.

    `reason` is why it could not be undone, null where that was not tried.
    """
    if step.name == DeployStep.REGISTER:
        document = {"kind": "host", "name": record.target, "vcenter": None, "id": None}
    else:
        document = {
            "kind": "identity" if record.status is RunStatus.SUCCESS else "vm",
            "name": step.facts.get("name", record.target),
            "vcenter": step.facts.get("vcenter", record.request.get("vcenter")),
            "id": step.facts.get("vm_uuid"),
        }
    return {"step": step.name, **document, "reason": step.facts.get("left_because")}


def event_as_json(event: Event) -> dict[str, Any]:
    """One object of the stream; the result of a host is as in the JSON of a run."""
    head = {"type": event.type, "at": utc(event.at)}
    if isinstance(event, HostFinished):
        return head | host_as_json(event.result) | {"canceled": event.canceled}
    return head | {
        field.name: getattr(event, field.name) for field in fields(event) if field.name != "at"
    }


def finished_as_json(document: dict[str, Any]) -> dict[str, Any]:
    """The last object of the stream: the run's end, with its whole record as `result`."""
    return {
        "type": RunFinished.type,
        "at": document["finished_at"] or utc(datetime.now(UTC)),
        "run": document["id"],
        "status": document["status"],
        "result": document,
    }
