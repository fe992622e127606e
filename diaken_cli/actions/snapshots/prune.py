"""What prune would do with each snapshot, as lists show it; and prune, which does it.

It removes the automatic snapshots that are older than the retention, and no others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from diaken_cli import retention
from diaken_cli.actions.snapshots.flow import SnapshotRun
from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    FoundVms,
    HostSnapshot,
    HostVm,
    Problem,
    find_host_vms,
)
from diaken_cli.actions.snapshots.remove import remove_all
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import DatabaseError, DiakenError
from diaken_cli.events import Emit
from diaken_cli.outcome import StepEnd
from diaken_cli.retention import KeptReason, Policy, SnapshotRow, failed_row
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import Step, execute_steps
from diaken_cli.services.snapshot_log import SnapshotLog
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.run_records import RecordedSnapshot
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.types import RunKind, SnapshotAction, SnapshotStatus, TargetType

EVERYTHING = "all"  # no group has this name: Ansible keeps it for itself
STEP = "prune"
FAILED_PREFIX = "prune:"  # a notice of what failed: a vCenter, a host or a snapshot
NOTHING_DONE = "prune failed: "  # a notice, with the code of its error, that nothing was done


def list_snapshots(context: Context, hosts: Sequence[HostRecord]) -> list[SnapshotRow]:
    """Every snapshot of these hosts' VMs, and what prune would do with it.

    Raises what asking the vCenter raised where none could be asked.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    with Connections(context.connect) as connections:
        found = _find_vms_and_snapshots(hosts, inventory, connections, sizes=True)
    return [*_plan(context, found, None), *_failures(found)]


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
    have the size of each snapshot, for one more query a vCenter. Raises VSphereError where no
    vCenter could be used, AccessError where the log can't be written, Canceled.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    hosts = [host for host in inventory if host.active and host.vcenter]
    with Connections(context.connect) as connections:
        found = _find_vms_and_snapshots(hosts, inventory, connections, sizes=sizes)
        rows = _plan(context, found, older_than)
        if not dry_run:
            _note_vms(context.store, found)
            if any(row.action is SnapshotAction.REMOVE for row in rows):
                log = SnapshotLog(log_file)
                rows = _remove(context, connections, found, rows, show, log)
    return [*rows, *_failures(found)]


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
    log: SnapshotLog,
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
        free = [host_vms[name].host for name in sorted(host_vms) if name not in kept]
        return Selection(new, tuple(free), [as_kept(row, kept) for row in rows])

    with begin(context, select, subscribers=[show]) as (run, current_rows):
        pruning = _Pruning(run, current_rows, log.before(run.emit))
        removals = [
            HostSnapshot(host_vms[row.host], row.snapshot)
            for row in current_rows
            if row.host and row.snapshot and row.action is SnapshotAction.REMOVE
        ]

        def remove(flow: _Pruning) -> StepEnd:
            remove_in_vcenter = partial(
                remove_all,
                parallel=context.config.snapshots.parallel_removals,
                done=flow.note,
                should_stop=flow.run.stop.requested,
            )
            connections.for_each_vcenter(remove_in_vcenter, removals)
            return flow.end()

        execute_steps([Step[_Pruning, str](STEP, str, remove)], pruning, {})
    return list(pruning.rows.values())


class _Pruning(SnapshotRun):
    """A prune, with what was done to each row; a host is free as soon as it is done with it."""

    def __init__(self, run: ActiveRun, rows: Sequence[SnapshotRow], emit: Emit) -> None:
        super().__init__(STEP, f"remove automatic snapshots of {len(run.hosts)} hosts", run, emit)
        self.rows = {(row.host, *row.key): row for row in rows}
        self._unfinished = Counter(
            row.host for row in rows if row.action is SnapshotAction.REMOVE
        )  # snapshots for which vCenter may still do something, by host

    def note(self, removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
        """Note and emit that one was removed, or could not be.

        Its host is free as soon as the task of each has `succeeded`, else with the end of the run.
        """
        host, key = removal.host, (removal.host.name, removal.vcenter, removal.snapshot.id)
        status = SnapshotStatus.REMOVED if error is None else SnapshotStatus.FAILED
        with self._one_at_a_time:
            self.finish(SnapshotAction.REMOVE, removal, error)
            self.rows[key] = replace(self.rows[key], status=status, error=error)
            self._unfinished[host.name] -= succeeded
            if not self._unfinished[host.name]:
                with suppress(DatabaseError):  # it is freed with the end of the run
                    self.run.free_host(host)


# ── the plan ─────────────────────────────────────────────────────────────────────────────────


def _find_vms_and_snapshots(
    hosts: Sequence[HostRecord],
    inventory: Sequence[HostRecord],
    connections: Connections,
    *,
    sizes: bool,
) -> FoundVms:
    """The VMs of these hosts with their snapshots. Raises VSphereError where no vCenter answers."""
    # Addresses are only asked for where a VM, or another owner of one, is looked for by them.
    addresses = any(host.vcenter and host.vm_uuid is None for host in inventory)
    found = find_host_vms(hosts, connections, inventory=inventory, addresses=addresses, sizes=sizes)
    if found.error is not None:
        raise found.error
    return found


def _plan(context: Context, found: FoundVms, older_than: timedelta | None) -> list[SnapshotRow]:
    """What prune does with each snapshot that was found, by the settings, or by `older_than`."""
    store = context.store
    hours = store.inventory.settings()["snapshot_retention_hours"]
    policy = Policy(
        older_than=older_than or timedelta(hours=hours),
        only_recorded=context.config.snapshots.prune_only_recorded,
    )
    ids: dict[str, list[str]] = {name: [] for name in found.vcenters}
    for host_vm in found.host_vms:
        ids[host_vm.vcenter] += [snapshot.id for snapshot in host_vm.tree.snapshots]
    taken = [store.history.snapshots_taken(name, refs) for name, refs in ids.items()]
    return plan(found.host_vms, policy, store.runs.locked(), frozenset().union(*taken))


def plan(
    host_vms: Iterable[HostVm],
    policy: Policy,
    locked: Mapping[int, int],
    recorded: frozenset[RecordedSnapshot] = frozenset(),
) -> list[SnapshotRow]:
    """What the retention rule says of each snapshot, by the clock of its vCenter. Pure.

    `locked` has the run that holds a host, by the host's number; `recorded` are snapshots that
    runs of this database took.
    """
    rows = []
    for host_vm in host_vms:
        host, excluded = host_vm.host, None
        if len(host_vm.owners) > 1:
            excluded = f"the VM belongs to several hosts: {', '.join(host_vm.owners)}"
        elif host.id in locked:
            excluded = f"host {host.name} is locked by run {locked[host.id]}"
        for snapshot in host_vm.tree.snapshots:
            key = (host_vm.vcenter, snapshot.vm_uuid.casefold(), snapshot.id)
            taken_by_run = key in recorded
            kept, reason = retention.judge(
                snapshot, policy, host_vm.clock, recorded=taken_by_run, excluded=excluded
            )
            rows.append(
                SnapshotRow(
                    host=host.name,
                    vcenter=host_vm.vcenter,
                    vm=host_vm.tree.vm,
                    snapshot=snapshot,
                    action=SnapshotAction.REMOVE if kept is None else SnapshotAction.KEEP,
                    reason=reason,
                    status=SnapshotStatus.PLANNED if kept is None else SnapshotStatus.KEPT,
                    automatic=retention.is_automatic(snapshot.name),
                    age=host_vm.clock - snapshot.created_at,
                    recorded=taken_by_run,
                    kept=kept,
                )
            )
    return rows


def _failures(found: FoundVms) -> list[SnapshotRow]:
    """A row for each vCenter that could not be asked, and for each host without its VM."""
    rows = [failed_row(vcenter, None, error.message) for vcenter, error in found.errors.items()]
    return rows + [
        failed_row(missing.host.vcenter or "", missing.host.name, missing.reason)
        for missing in found.missing
        if missing.problem is Problem.NO_VM
    ]


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
            kept[name] = f"host {name} is locked by run {held[earlier.id]}"
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
