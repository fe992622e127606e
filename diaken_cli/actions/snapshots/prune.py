"""Removes the automatic snapshots that are older than the retention, and no others."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    FoundVms,
    HostSnapshot,
    HostVm,
    by_vcenter,
    in_parallel,
)
from diaken_cli.actions.snapshots.listing import (
    SnapshotRow,
    failures,
    find_vms_and_snapshots,
    locked_by,
    plan_prune,
)
from diaken_cli.actions.snapshots.remove import remove_all
from diaken_cli.actions.snapshots.run import log_snapshots
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import DatabaseError, DiakenError
from diaken_cli.events import Emit, HostFinished, SnapshotFinished
from diaken_cli.outcome import Effect, StepEnd
from diaken_cli.retention import KeptReason
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
    TargetType,
)

EVERYTHING = "all"  # no group has this name: Ansible keeps it for itself
STEP = "prune"
FAILED_PREFIX = "prune:"  # a notice of what failed: a vCenter, a host or a snapshot
NOTHING_DONE = "prune failed: "  # a notice, with the code of its error, that nothing was done


def prune(
    context: Context,
    show: Emit,
    *,
    older_than: timedelta | None,
    dry_run: bool,
    log_file: Path | None,
    sizes: bool = False,
) -> list[SnapshotRow]:
    """Remove old automatic snapshots of every active host with a vCenter; a row for each snapshot.

    With `dry_run` the same rows, and nothing is done. A run is recorded where there is something to
    remove. Of a VM that was found by its host's address the UUID is stored. With `sizes` the rows
    have the size of each snapshot, for one more query a vCenter. Raises
    VSphereError where no vCenter could be used, AccessError where the log can't be written,
    Canceled.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    hosts = [host for host in inventory if host.active and host.vcenter]
    with Connections(context.connect) as connections:
        found = find_vms_and_snapshots(hosts, inventory, connections, sizes=sizes)
        rows = plan_prune(context, found, older_than)
        if not dry_run:
            _note_vms(context.store, found)
        if not dry_run and any(row.action is SnapshotAction.REMOVE for row in rows):
            rows = _remove(context, connections, found, rows, log_snapshots(show, log_file))
    return [*rows, *failures(found)]


def _note_vms(store: Store, found: FoundVms) -> None:
    """Store the UUIDs of VMs that were found by address, and belong to one host."""
    new = [
        (host_vm.host, host_vm.vm.instance_uuid)
        for host_vm in found.host_vms
        if host_vm.host.vm_uuid is None and host_vm.vm.instance_uuid and len(host_vm.owners) == 1
    ]
    if new:
        store.inventory.note_vms(new)


def _remove(
    context: Context,
    connections: Connections,
    found: FoundVms,
    rows: Sequence[SnapshotRow],
    show: Emit,
) -> list[SnapshotRow]:
    """Remove on those hosts that no other run holds and that did not change; the rows then."""
    store = context.store
    wanted = {row.host for row in rows if row.action is SnapshotAction.REMOVE}
    host_vms = {m.host.name: m for m in found.host_vms if m.host.name in wanted}
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=TargetType.GROUP,
        target=EVERYTHING,
        request={"v": 1, "action": STEP},
        user=account(),
    )

    def select() -> Selection[list[SnapshotRow]]:
        held, inventory = store.runs.locked(), store.inventory.hosts(include_inactive=True)
        kept = kept_hosts(host_vms, held, inventory)
        free = (host_vm.host for name, host_vm in host_vms.items() if name not in kept)
        return Selection(new, tuple(free), [as_kept(row, kept) for row in rows])

    def remove(pruning: _Pruning) -> StepEnd:
        groups = by_vcenter(
            HostSnapshot(host_vms[row.host], row.snapshot)
            for row in pruning.rows.values()
            if row.host and row.snapshot and row.action is SnapshotAction.REMOVE
        )

        def of_one_vcenter(vcenter: str) -> None:
            remove_all(
                connections.session(vcenter),
                groups[vcenter],
                parallel=context.config.snapshots.parallel_removals,
                done=pruning.note,
                should_stop=pruning.run.stop.requested,
            )

        in_parallel(of_one_vcenter, list(groups))
        return pruning.finish()

    step = Step[_Pruning, int](
        STEP, lambda hosts: f"remove automatic snapshots of {hosts} hosts", remove
    )
    with begin(context, select, subscribers=[show]) as (run, current_rows):
        pruning = _Pruning(run, current_rows)
        execute_steps([step], pruning, {})
    return list(pruning.rows.values())


def kept_hosts(
    host_vms: Mapping[str, HostVm], held: Mapping[int, int], inventory: Sequence[HostRecord]
) -> dict[str, str]:
    """Why the snapshots of some hosts are kept although they were to be removed, by host. Pure.

    `held` has the runs that hold hosts, by the host's number; `inventory` is all hosts as they
    are now that the others are locked.
    """
    hosts = {host.id: host for host in inventory}
    kept = {}
    for name, host_vm in host_vms.items():
        earlier, host = host_vm.host, hosts.get(host_vm.host.id)
        if earlier.id in held:
            kept[name] = locked_by(name, held[earlier.id])
        elif host is None or not host.active or not _has_vm(host, host_vm):
            kept[name] = f"host {name} was changed in the meantime"
    return kept


def _has_vm(host: HostRecord, host_vm: HostVm) -> bool:
    """Whether it is still the host of that VM; its UUID may have been noted since."""
    if host.vcenter != host_vm.host.vcenter:
        return False
    if host.vm_uuid is None:
        return host_vm.host.vm_uuid is None and host.ip == host_vm.host.ip
    return host.vm_uuid.casefold() == host_vm.vm.instance_uuid.casefold()


def as_kept(row: SnapshotRow, kept: Mapping[str, str]) -> SnapshotRow:
    """The row, as kept where the snapshots of its host are kept."""
    if row.action is not SnapshotAction.REMOVE or row.host is None or row.host not in kept:
        return row
    return replace(
        row,
        action=SnapshotAction.KEEP,
        status=SnapshotStatus.KEPT,
        reason=kept[row.host],
        kept=KeptReason.EXCLUDED,
    )


class _Pruning:
    """The rows of a prune, with what was done to each; several threads report to it."""

    def __init__(self, run: ActiveRun, rows: Sequence[SnapshotRow]) -> None:
        self.run = run
        self.request = len(run.hosts)
        self.rows = {(row.host, *row.key): row for row in rows}
        self._unfinished = Counter(
            row.host for row in rows if row.action is SnapshotAction.REMOVE
        )  # snapshots for which vCenter may still do something, by host
        self._errors: dict[str, str] = {}
        self._stopped: set[str] = set()  # hosts that were not done when someone stopped it
        self._removed = False
        self._one_at_a_time = threading.Lock()

    def note(self, removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
        """Note and emit that one was removed, or could not be.

        Its host is free as soon as the task of each has `succeeded`, else with the end of the run.
        """
        host, snapshot = removal.host, removal.snapshot
        status = SnapshotStatus.REMOVED if error is None else SnapshotStatus.FAILED
        with self._one_at_a_time:
            key = (host.name, removal.vcenter, snapshot.id)
            self.rows[key] = replace(self.rows[key], status=status, error=error)
            if error is None:
                self._removed = True
            elif host.name not in self._errors:
                self._errors[host.name] = error
                if self.run.stop.requested():
                    self._stopped.add(host.name)
            self.run.emit(
                SnapshotFinished(
                    action=SnapshotAction.REMOVE,
                    host=host.name,
                    vcenter=host.vcenter,
                    name=snapshot.name,
                    status=status,
                    id=snapshot.id,
                    vm_uuid=snapshot.vm_uuid,
                    error=error,
                )
            )
            self._unfinished[host.name] -= succeeded
            if not self._unfinished[host.name]:
                with suppress(DatabaseError):  # it is freed with the end of the run
                    self.run.free_host(host)

    def finish(self) -> StepEnd:
        """Emit the result of each host; how the step ends. Raises Canceled."""
        for host in sorted(self.run.hosts, key=lambda host: host.name):
            name, error = host.name, self._errors.get(host.name)
            status = HostStatus.SUCCESS if error is None else HostStatus.FAILED
            result = HostResult(name, host.ip, status, message=error)
            if error is not None and name in self._stopped:
                result = HostResult.canceled_in(name, host.ip, STEP, error)
            self.run.emit(HostFinished(result=result, canceled=result.canceled))
        self.run.stop.check()
        return StepEnd(
            StepStatus.FAILED if self._errors else StepStatus.SUCCESS,
            effect=Effect.PARTLY if self._removed else Effect.NONE,
        )


# ── what prune says on standard error: a lasting failure once, then once a day, and its end ──────


def should_report_error(store: Store, error: DiakenError, now: datetime) -> bool:
    """Whether to report now an error because of which nothing could be done."""
    return store.notices.should_notify(NOTHING_DONE + error.code, now)


def report_failures(
    store: Store, rows: Sequence[SnapshotRow], now: datetime, *, always: bool
) -> list[str]:
    """The lines to report now: failures that are new or a day old, and those that are resolved.

    Which were reported is stored. With `always`, for a person at a terminal, all failures are.
    """
    failing = {_notice_key(row): failure_line(row) for row in rows if row.failed}
    lines = [
        line for key, line in failing.items() if store.notices.should_notify(key, now) or always
    ]
    unresolved = store.notices.unresolved()
    lines += [
        f"resolved: prune works again (was: {key.removeprefix(NOTHING_DONE)})"
        for key in unresolved
        if key.startswith(NOTHING_DONE) and store.notices.resolved(key)
    ]
    lines += [
        f"resolved: prune no longer fails for {key.removeprefix(FAILED_PREFIX)}"
        for key in unresolved
        if key.startswith(FAILED_PREFIX) and key not in failing and store.notices.resolved(key)
    ]
    return lines


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
    return FAILED_PREFIX + " ".join(part for part in (row.vcenter, row.host, snapshot) if part)
