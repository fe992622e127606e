"""What prune would do with each snapshot, as lists show it; and prune, which does it.

It removes the automatic snapshots that are older than the retention, and no others.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from diaken_cli.actions.snapshots.flow import SnapshotRun
from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    FoundVms,
    HostSnapshot,
    HostVm,
    unreadable,
)
from diaken_cli.actions.snapshots.plan import (
    as_kept,
    failures,
    find_snapshots_of,
    kept_hosts,
    rows_of,
)
from diaken_cli.actions.snapshots.remove import remove_all
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import DatabaseError, DiakenError, VSphereError
from diaken_cli.events import Emit
from diaken_cli.outcome import StepEnd
from diaken_cli.retention import SnapshotRow
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import Step, execute_steps
from diaken_cli.services.snapshot_log import SnapshotLog
from diaken_cli.services.vsphere import snapshots
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
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
        found = find_snapshots_of(hosts, inventory, connections, sizes=True)
    return [
        *rows_of(context, found.host_vms, None, context.store.runs.locked()),
        *failures(found),
    ]


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
        found = find_snapshots_of(hosts, inventory, connections, sizes=sizes)
        rows = rows_of(context, found.host_vms, older_than, context.store.runs.locked())
        if not dry_run:
            _note_vms(context.store, found)
            if any(row.action is SnapshotAction.REMOVE for row in rows):
                log = SnapshotLog(log_file)
                rows = _remove(context, connections, found, rows, older_than, show, log)
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
    older_than: timedelta | None,
    show: Emit,
    log: SnapshotLog,
) -> list[SnapshotRow]:
    """Remove on those hosts that no other run holds and that did not change; the rows then.

    What goes is decided anew, by what their VMs have once the hosts are locked.
    """
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

        def prune_vcenter(session: Session, locked: list[HostVm]) -> None:
            try:
                now = read_again(session, locked)
            except VSphereError as error:
                pruning.fail_planned(locked, error.message)
                return
            known = []
            for host_vm in locked:
                current = now.get(host_vm.vm.ref)
                if current is None:
                    pruning.fail_planned([host_vm], "its VM is gone")
                elif current.tree.odd is not None:
                    reason = unreadable(current.tree.vm, current.tree.odd)
                    pruning.fail_planned([host_vm], reason)
                else:
                    known.append(current)
            pruning.decide(known, rows_of(context, known, older_than, held={}))
            remove_all(
                session,
                pruning.planned(known),
                parallel=context.config.snapshots.parallel_removals,
                done=pruning.note,
                should_stop=run.stop.requested,
            )

        def remove(flow: _Pruning) -> StepEnd:
            locked = [host_vms[host.name] for host in run.hosts]
            connections.for_each_vcenter(prune_vcenter, locked)
            return flow.end()

        execute_steps([Step[_Pruning, str](STEP, str, remove)], pruning, {})
    return pruning.rows


def read_again(session: Session, host_vms: Iterable[HostVm]) -> dict[str, HostVm]:
    """The same VMs by reference with the snapshots that they have now; gone ones are left out.

    Raises VSphereError.
    """
    earlier = {host_vm.vm.ref: host_vm for host_vm in host_vms}
    trees = snapshots.snapshot_trees(session, earlier)
    clock = session.now()
    return {
        ref: replace(earlier[ref], tree=tree.with_sizes(earlier[ref].tree.sizes), clock=clock)
        for ref, tree in trees.items()
    }


class _Pruning(SnapshotRun):
    """A prune, with what was done to each row; a host is free as soon as it is done with it."""

    def __init__(self, run: ActiveRun, rows: Sequence[SnapshotRow], emit: Emit) -> None:
        super().__init__(STEP, f"remove automatic snapshots of {len(run.hosts)} hosts", run, emit)
        self._rows: dict[str | None, list[SnapshotRow]] = {}
        for row in rows:
            self._rows.setdefault(row.host, []).append(row)
        self._unfinished: Counter[str] = Counter()
        """Snapshots for which vCenter may still do something, by host."""

    @property
    def rows(self) -> list[SnapshotRow]:
        """A row for each snapshot, in the order of the hosts."""
        return [row for rows in self._rows.values() for row in rows]

    def decide(self, locked: Iterable[HostVm], rows: Iterable[SnapshotRow]) -> None:
        """Put what is decided now in the place of what was; free the hosts with nothing to do."""
        decided: dict[str | None, list[SnapshotRow]] = {host_vm.host.name: [] for host_vm in locked}
        for row in rows:
            decided[row.host].append(row)
        with self._one_at_a_time:
            self._rows |= decided
            for host_vm in locked:
                planned = map(_is_planned, decided[host_vm.host.name])
                self._unfinished[host_vm.host.name] = sum(planned)
                self._free_if_done(host_vm.host)

    def planned(self, host_vms: Iterable[HostVm]) -> list[HostSnapshot]:
        """What is to be removed of these VMs."""
        return [
            HostSnapshot(host_vm, row.snapshot)
            for host_vm in host_vms
            for row in self._rows[host_vm.host.name]
            if row.snapshot is not None and _is_planned(row)
        ]

    def fail_planned(self, host_vms: Iterable[HostVm], error: str) -> None:
        """Note that nothing was begun on these VMs, and why."""
        for removal in self.planned(host_vms):
            self.note(removal, error, succeeded=False)

    def note(self, removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
        """Note and emit that one was removed, or could not be.

        Its host is free as soon as the task of each has `succeeded`, else with the end of the run.
        """
        host, key = removal.host, (removal.vcenter, removal.snapshot.id)
        status = SnapshotStatus.REMOVED if error is None else SnapshotStatus.FAILED
        with self._one_at_a_time:
            self.finish(SnapshotAction.REMOVE, removal, error)
            self._rows[host.name] = [
                replace(row, status=status, error=error) if row.key == key else row
                for row in self._rows[host.name]
            ]
            self._unfinished[host.name] -= succeeded
            self._free_if_done(host)

    def _free_if_done(self, host: HostRecord) -> None:
        if not self._unfinished[host.name]:
            with suppress(DatabaseError):  # it is freed with the end of the run
                self.run.free_host(host)


def _is_planned(row: SnapshotRow) -> bool:
    return row.action is SnapshotAction.REMOVE and row.status is SnapshotStatus.PLANNED


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
