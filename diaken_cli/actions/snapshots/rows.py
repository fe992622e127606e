"""What is known of each snapshot, and what prune would do, or did, with it: a row of the lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from diaken_cli import retention
from diaken_cli.actions.snapshots.survey import HostVm, Problem, Survey
from diaken_cli.errors import DiakenError
from diaken_cli.retention import KeptReason, Policy
from diaken_cli.store import Store
from diaken_cli.store.run_records import RecordedSnapshot
from diaken_cli.types import Snapshot, SnapshotAction, SnapshotStatus

OLD = timedelta(hours=72)
DEEP = 3
NOTICES = "prune:"
NOTHING_DONE = "prune failed: "  # and why, by its code


@dataclass(frozen=True)
class SnapshotRow:
    """A snapshot; where `snapshot` is None, something that failed for a host or a whole vCenter.

    `recorded` says whether a run of this database took it, `kept` why it is kept, where it is.
    """

    host: str | None
    vcenter: str
    vm: str | None
    snapshot: Snapshot | None
    action: SnapshotAction
    reason: str
    status: SnapshotStatus
    automatic: bool = False
    age: timedelta | None = None
    error: str | None = None
    recorded: bool | None = None
    kept: KeptReason | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Which snapshot that is: its vCenter and its reference there."""
        return self.vcenter, self.snapshot.id if self.snapshot else ""


def plan(
    host_vms: Iterable[HostVm],
    policy: Policy,
    locked: Mapping[int, int],
    recorded: frozenset[RecordedSnapshot] = frozenset(),
) -> list[SnapshotRow]:
    """What the retention rule says of every snapshot, by each vCenter's own clock. Pure.

    `locked` has the run that holds a host, by the host's number; `recorded` are snapshots that
    runs of this database took.
    """
    rows = []
    for host_vm in host_vms:
        host, excluded = host_vm.host, None
        if len(host_vm.owners) > 1:
            excluded = f"the VM belongs to several hosts: {', '.join(host_vm.owners)}"
        elif host.id in locked:
            excluded = locked_by(host.name, locked[host.id])
        for snapshot in host_vm.tree.snapshots:
            key = (host.vcenter or "", snapshot.vm_uuid.casefold(), snapshot.id)
            rows.append(_planned(host_vm, snapshot, policy, excluded, recorded=key in recorded))
    return rows


def _planned(
    host_vm: HostVm, snapshot: Snapshot, policy: Policy, excluded: str | None, *, recorded: bool
) -> SnapshotRow:
    kept, reason = retention.judge(
        snapshot, policy, host_vm.clock, recorded=recorded, excluded=excluded
    )
    return SnapshotRow(
        host=host_vm.host.name,
        vcenter=host_vm.host.vcenter or "",
        vm=host_vm.tree.vm,
        snapshot=snapshot,
        action=SnapshotAction.REMOVE if kept is None else SnapshotAction.KEEP,
        reason=reason,
        status=SnapshotStatus.PLANNED if kept is None else SnapshotStatus.KEPT,
        automatic=retention.is_automatic(snapshot.name),
        age=host_vm.clock - snapshot.created_at,
        recorded=recorded,
        kept=kept,
    )


def locked_by(host: str, run: int) -> str:
    """Why the snapshots of a host are left alone that a run holds."""
    return f"host {host} is locked by run {run}"


def failures(surveyed: Survey) -> list[SnapshotRow]:
    """A row for each vCenter that could not be asked, and for each host without its VM."""
    rows = []
    for vcenter in surveyed.vcenters:
        if vcenter in surveyed.errors:
            rows.append(failure(vcenter, None, surveyed.errors[vcenter].message))
        rows += [
            failure(vcenter, missing.host.name, missing.reason)
            for missing in surveyed.missing
            if missing.host.vcenter == vcenter and missing.problem is Problem.NO_VM
        ]
    return rows


def failure(vcenter: str, host: str | None, error: str) -> SnapshotRow:
    """A row of something that failed for a whole host or vCenter."""
    return SnapshotRow(
        host=host,
        vcenter=vcenter,
        vm=None,
        snapshot=None,
        action=SnapshotAction.KEEP,
        reason="nothing was removed",
        status=SnapshotStatus.FAILED,
        error=error,
    )


def advice(rows: Iterable[SnapshotRow]) -> list[str]:
    """What VMware advises against: a snapshot older than 72 hours, a chain deeper than 3.

    https://knowledge.broadcom.com/external/article/318825
    """
    warnings = []
    for row in rows:
        if row.snapshot is None or row.age is None:
            continue
        if row.age > OLD:
            hours = row.age / timedelta(hours=1)
            warnings.append(f"{row.host}: {row.snapshot.name!r} is {hours:.0f} h old")
        if row.snapshot.depth == DEEP + 1:
            warnings.append(f"{row.host}: the chain of its snapshots is deeper than {DEEP}")
    return warnings


# ── what prune says on standard error: a lasting failure once, then once a day, and its end ──────


def notify_whole(store: Store, error: DiakenError, now: datetime) -> bool:
    """Whether to report now that nothing could be done."""
    return store.notices.should_notify(NOTHING_DONE + error.code, now)


def notify(store: Store, rows: Sequence[SnapshotRow], now: datetime, *, always: bool) -> list[str]:
    """Note what failed; a line for each failure that is to be told now, and for each that is over.

    `always` for a person at a terminal, who is told everything.
    """
    failing = {_notice_key(row): failure_line(row) for row in rows if failed(row)}
    lines = [
        line for key, line in failing.items() if store.notices.should_notify(key, now) or always
    ]
    unresolved = store.notices.unresolved()
    resolved_errors = [
        key for key in unresolved if key.startswith(NOTHING_DONE) and store.notices.resolved(key)
    ]
    resolved_keys = [key for key in unresolved if key.startswith(NOTICES) and key not in failing]
    resolved_subjects = [
        key.removeprefix(NOTICES) for key in resolved_keys if store.notices.resolved(key)
    ]
    return [
        *lines,
        *(
            f"resolved: prune works again (was: {key.removeprefix(NOTHING_DONE)})"
            for key in resolved_errors
        ),
        *(f"resolved: prune no longer fails for {what}" for what in resolved_subjects),
    ]


def failed(row: SnapshotRow) -> bool:
    """Whether the row is one of something that failed."""
    return row.status is SnapshotStatus.FAILED


def failure_line(row: SnapshotRow) -> str:
    """One failure: where, which snapshot, why, and what to look at next."""
    if row.host is None:
        return f"vCenter {row.vcenter}: {row.error}; see: diaken vcenters test {row.vcenter}"
    where = f"{row.host} in {row.vcenter}"
    if row.snapshot is None:
        return f"{where}: {row.error}; see: diaken hosts show {row.host}"
    again = f"diaken snapshots remove {row.snapshot.id} --host {row.host}"
    return f"{where}: {row.snapshot.name!r}: {row.error}; prune tries again, or: {again}"


def _notice_key(row: SnapshotRow) -> str:
    snapshot = row.snapshot.id if row.snapshot else None
    return NOTICES + " ".join(part for part in (row.vcenter, row.host, snapshot) if part)
