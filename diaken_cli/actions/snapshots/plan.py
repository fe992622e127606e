"""The plan of a prune: what the retention says of each snapshot of the inventory's VMs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from diaken_cli import retention
from diaken_cli.actions.snapshots.host_vms import (
    OF_ONE_VM,
    Connections,
    FoundVms,
    HostVm,
    find_host_vms,
)
from diaken_cli.context import Context
from diaken_cli.retention import KeptReason, Policy, SnapshotRow, failed_row
from diaken_cli.store.records import HostRecord
from diaken_cli.store.run_records import RecordedSnapshot
from diaken_cli.types import SnapshotAction, SnapshotStatus


def find_snapshots_of(
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


def rows_of(
    context: Context,
    host_vms: Sequence[HostVm],
    older_than: timedelta | None,
    held: Mapping[int, int],
) -> list[SnapshotRow]:
    """What prune does with each snapshot of these VMs, by the settings, or by `older_than`.

    `held` has the runs that hold hosts, by the host's number.
    """
    store = context.store
    hours = store.inventory.settings()["snapshot_retention_hours"]
    policy = Policy(
        older_than=older_than or timedelta(hours=hours),
        only_recorded=context.config.snapshots.prune_only_recorded,
    )
    ids: dict[str, list[str]] = defaultdict(list)
    for host_vm in host_vms:
        ids[host_vm.vcenter] += [snapshot.id for snapshot in host_vm.tree.snapshots]
    taken = [store.history.snapshots_taken(name, refs) for name, refs in ids.items()]
    return plan(host_vms, policy, held, frozenset().union(*taken))


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


def failures(found: FoundVms) -> list[SnapshotRow]:
    """A row for each vCenter that could not be asked, and each host whose VM is not known."""
    rows = [failed_row(vcenter, None, error.message) for vcenter, error in found.errors.items()]
    return rows + [
        failed_row(missing.host.vcenter or "", missing.host.name, missing.reason)
        for missing in found.missing
        if missing.problem in OF_ONE_VM
    ]


def kept_hosts(
    host_vms: Mapping[str, HostVm], held: Mapping[int, int], inventory: Sequence[HostRecord]
) -> dict[str, str]:
    """Why the snapshots of some hosts are kept although they were to be removed, by host. Pure.

    `held` has the runs that hold hosts, by the host's number; `inventory` is all hosts as they
    are now that the others are locked.
    """
    hosts = {host.id: host for host in inventory}
    named = _names_by_vm(inventory)
    kept = {}
    for name, host_vm in host_vms.items():
        earlier, host = host_vm.host, hosts.get(host_vm.host.id)
        if earlier.id in held:
            kept[name] = f"host {name} is locked by run {held[earlier.id]}"
        elif host is None or not host.active or not _has_vm(host, host_vm):
            kept[name] = f"host {name} was changed in the meantime"
        elif len(owners := _owners(host_vm, named)) > 1:
            kept[name] = f"the VM belongs to several hosts: {', '.join(sorted(owners))}"
    return kept


def _names_by_vm(inventory: Iterable[HostRecord]) -> dict[tuple[str | None, str], set[str]]:
    """The names of hosts by vCenter and by how they find their VM: its UUID, else an address."""
    named: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for host in inventory:
        named[host.vcenter, host.vm_uuid.casefold() if host.vm_uuid else host.ip].add(host.name)
    return named


def _owners(host_vm: HostVm, named: Mapping[tuple[str | None, str], set[str]]) -> set[str]:
    vm = host_vm.vm
    keys = (vm.instance_uuid.casefold(), *vm.addresses)
    return {name for key in keys for name in named.get((host_vm.vcenter, key), ())}


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
