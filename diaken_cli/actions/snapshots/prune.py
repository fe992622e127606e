"""Lists snapshots, and prunes: the automatic ones that are older than the retention, no others."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from diaken_cli.actions.inventory import by_name, find_group, find_host, find_vcenter
from diaken_cli.actions.snapshots.log import logging
from diaken_cli.actions.snapshots.remove import remove_all
from diaken_cli.actions.snapshots.rows import SnapshotRow, failures, locked_by, plan
from diaken_cli.actions.snapshots.survey import (
    Connections,
    HostSnapshot,
    HostVm,
    Survey,
    by_vcenter,
    in_parallel,
    survey,
)
from diaken_cli.actions.validate import Reader
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import VSphereError
from diaken_cli.events import Emit, HostFinished, RunStarted, SnapshotFinished
from diaken_cli.retention import KeptReason, Policy
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import Begun, NewRun, Selection
from diaken_cli.types import (
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TargetType,
)

EVERYTHING = "all"  # no group has this name: Ansible keeps it for itself
STEP = "prune"


def list_snapshots(context: Context, hosts: Sequence[HostRecord]) -> list[SnapshotRow]:
    """Every snapshot of these hosts' VMs, and what prune would do with it.

    Raises what asking the vCenter raised where none could be asked.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    with Connections(context.connect) as connections:
        surveyed = _survey(hosts, inventory, connections, sizes=True)
    return [*_plan(context, surveyed, None), *failures(surveyed)]


def select_hosts(
    store: Store,
    *,
    names: Sequence[str],
    group: str | None,
    environment: str | None,
    vcenter: str | None,
) -> list[HostRecord]:
    """The active hosts with a vCenter that fit; without any word, all of them.

    Raises InvalidInput with every name that does not exist.
    """
    reader = Reader()
    wanted = [
        reader.named("--host", name, partial(find_host, store, name, environment=environment))
        for name in names
    ]
    of_group = of_vcenter = None
    if group is not None:
        of_group = reader.named(
            "--group", group, lambda: find_group(store, group, environment=environment)
        )
    if vcenter is not None:
        of_vcenter = reader.named("--vcenter", vcenter, lambda: find_vcenter(store, vcenter))
    within = reader.choice("--environment", environment, by_name(store.inventory.environments()))
    reader.check()
    ids = {host.id for host in wanted if host is not None}
    hosts = store.inventory.hosts(
        environment_id=within.id if within else None,
        group_id=of_group.id if of_group else None,
        vcenter_id=of_vcenter.id if of_vcenter else None,
    )
    return [host for host in hosts if host.vcenter and (not ids or host.id in ids)]


def prune(
    context: Context,
    show: Emit,
    *,
    older_than: timedelta | None,
    dry_run: bool,
    log_file: Path | None,
    sizes: bool = False,
) -> list[SnapshotRow]:
    """Remove what the rule names, of every active host with a vCenter; the rows of all of it.

    With `dry_run` the same plan, and nothing is done. A run is recorded where something was to be
    removed. A VM that was found by its host's address is known by its UUID from then on. With
    `sizes` the rows know what each snapshot takes up, for one more query a vCenter. Raises
    VSphereError where no vCenter could be used, AccessError where the log can't be written,
    Canceled.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    hosts = [host for host in inventory if host.active and host.vcenter]
    with Connections(context.connect) as connections:
        surveyed = _survey(hosts, inventory, connections, sizes=sizes)
        rows = _plan(context, surveyed, older_than)
        if not dry_run:
            _note_vms(context.store, surveyed)
        if not dry_run and any(row.action is SnapshotAction.REMOVE for row in rows):
            rows = _remove(context, connections, surveyed, rows, logging(show, log_file))
    return [*rows, *failures(surveyed)]


def _survey(
    hosts: Sequence[HostRecord],
    inventory: Sequence[HostRecord],
    connections: Connections,
    *,
    sizes: bool,
) -> Survey:
    # Addresses are only asked for where a VM, or another owner of one, is looked for by them.
    addresses = any(host.vcenter and host.vm_uuid is None for host in inventory)
    surveyed = survey(hosts, connections, inventory=inventory, addresses=addresses, sizes=sizes)
    errors = [error.within(f"vCenter {name}") for name, error in surveyed.errors.items()]
    if surveyed.error is None:
        return surveyed
    if len(errors) == 1:
        raise errors[0]
    raise VSphereError(
        "no vCenter could be used: " + "; ".join(error.message for error in errors),
        code=errors[0].code,
    )


def _plan(context: Context, surveyed: Survey, older_than: timedelta | None) -> list[SnapshotRow]:
    store = context.store
    hours = store.inventory.settings()["snapshot_retention_hours"]
    policy = Policy(
        older_than=older_than or timedelta(hours=hours),
        only_recorded=context.config.snapshots.prune_only_recorded,
    )
    ids: dict[str, list[str]] = {name: [] for name in surveyed.vcenters}
    for host_vm in surveyed.host_vms:
        ids[host_vm.host.vcenter or ""] += [snapshot.id for snapshot in host_vm.tree.snapshots]
    taken = [store.history.snapshots_taken(name, refs) for name, refs in ids.items()]
    return plan(surveyed.host_vms, policy, store.runs.locked(), frozenset().union(*taken))


def _note_vms(store: Store, surveyed: Survey) -> None:
    """Keep the UUIDs of VMs that were found by address, and are of one host."""
    new = [
        (host_vm.host, host_vm.vm.instance_uuid)
        for host_vm in surveyed.host_vms
        if host_vm.host.vm_uuid is None and host_vm.vm.instance_uuid and len(host_vm.owners) == 1
    ]
    if new:
        store.inventory.note_vms(new)


def _remove(
    context: Context,
    connections: Connections,
    surveyed: Survey,
    rows: Sequence[SnapshotRow],
    show: Emit,
) -> list[SnapshotRow]:
    """Remove, on the hosts that no other run holds and that are what they were; the rows then."""
    store = context.store
    wanted = {row.host for row in rows if row.action is SnapshotAction.REMOVE}
    host_vms = {m.host.name: m for m in surveyed.host_vms if m.host.name in wanted}
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=TargetType.GROUP,
        target=EVERYTHING,
        request={"v": 1, "action": STEP},
        user=account(),
    )
    kept: dict[str, str] = {}

    def select() -> Selection:
        held, inventory = store.runs.locked(), store.inventory.hosts(include_inactive=True)
        kept.update(left_alone(host_vms, held, inventory))
        free = (host_vm.host for name, host_vm in host_vms.items() if name not in kept)
        return Selection(new, tuple(free))

    def started(begun: Begun) -> RunStarted:
        names = tuple(host_vms)
        return RunStarted(
            run=begun.id, kind=RunKind.SNAPSHOT, target=EVERYTHING, hosts=names, action=STEP
        )

    with begin(context, select, started=started, subscribers=[show]) as run:
        run.begin_step(0, STEP, f"remove automatic snapshots of {len(run.hosts)} hosts")
        pruning = _Pruning(run, [keep(row, kept) for row in rows])
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
                should_stop=run.stop.requested,
            )

        in_parallel(of_one_vcenter, list(groups))
        pruning.finish(run.hosts)
    return list(pruning.rows.values())


def left_alone(
    host_vms: Mapping[str, HostVm], held: Mapping[int, int], inventory: Sequence[HostRecord]
) -> dict[str, str]:
    """Why the snapshots of some hosts are left alone after all, by host. Pure.

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
            kept[name] = f"host {name} was changed meanwhile"
    return kept


def _has_vm(host: HostRecord, host_vm: HostVm) -> bool:
    """Whether it is still the host of that VM; its UUID may have been noted since."""
    if host.vcenter != host_vm.host.vcenter:
        return False
    if host.vm_uuid is None:
        return host_vm.host.vm_uuid is None and host.ip == host_vm.host.ip
    return host.vm_uuid.casefold() == host_vm.vm.instance_uuid.casefold()


def keep(row: SnapshotRow, kept: Mapping[str, str]) -> SnapshotRow:
    """The row, marked as kept where its host is left alone."""
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
    """What became of the rows; noted from several threads, told one after another."""

    def __init__(self, run: ActiveRun, rows: Sequence[SnapshotRow]) -> None:
        self.rows = {(row.host, *row.key): row for row in rows}
        self._run = run
        self._errors: dict[str, str] = {}
        self._stopped: set[str] = set()  # hosts that were not done when someone stopped it
        self._removed = False
        self._one_at_a_time = threading.Lock()

    def note(self, removal: HostSnapshot, error: str | None) -> None:
        """A snapshot was removed, or could not be."""
        host, snapshot = removal.host, removal.snapshot
        status = SnapshotStatus.REMOVED if error is None else SnapshotStatus.FAILED
        with self._one_at_a_time:
            key = (host.name, removal.vcenter, snapshot.id)
            self.rows[key] = replace(self.rows[key], status=status, error=error)
            if error is None:
                self._removed = True
            elif host.name not in self._errors:
                self._errors[host.name] = error
                if self._run.stop.requested():
                    self._stopped.add(host.name)
            self._run.emit(
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

    def finish(self, hosts: Sequence[HostRecord]) -> None:
        """Tell of each host, and say how the run ends. Raises Canceled."""
        run = self._run
        for host in sorted(hosts, key=lambda host: host.name):
            failed = host.name in self._errors
            status = HostStatus.FAILED if failed else HostStatus.SUCCESS
            task = STEP if host.name in self._stopped else None
            message = self._errors.get(host.name)
            result = HostResult(host.name, host.ip, status, failed_task=task, message=message)
            run.emit(HostFinished(result=result, canceled=result.canceled))
        stopped = run.stop.requested()
        ended = StepStatus.FAILED if self._errors or stopped else StepStatus.SUCCESS
        run.end_step(0, ended, canceled=stopped)
        run.stop.check()
        if self._errors:
            run.set_ending(RunStatus.PARTIAL if self._removed else RunStatus.FAILED, None)
