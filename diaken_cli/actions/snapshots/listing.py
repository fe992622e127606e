"""Lists snapshots: a row for each, with what prune would do, or did, with it, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from diaken_cli import retention
from diaken_cli.actions.inventory import by_name, find_group, find_host, find_vcenter
from diaken_cli.actions.snapshots.host_vms import (
    Connect,
    Connections,
    FoundVms,
    HostVm,
    Problem,
    find_host_vms,
)
from diaken_cli.actions.validate import Reader
from diaken_cli.context import Context
from diaken_cli.errors import VSphereError
from diaken_cli.retention import KeptReason, Policy
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.run_records import RecordedSnapshot
from diaken_cli.types import Snapshot, SnapshotAction, SnapshotStatus

ADVISED_AGE = timedelta(hours=72)
ADVISED_DEPTH = 3


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
    def failed(self) -> bool:
        """Whether it is a row of something that failed."""
        return self.status is SnapshotStatus.FAILED

    @property
    def key(self) -> tuple[str, str]:
        """Which snapshot that is: its vCenter and its reference there."""
        return self.vcenter, self.snapshot.id if self.snapshot else ""


def list_snapshots(context: Context, hosts: Sequence[HostRecord]) -> list[SnapshotRow]:
    """Every snapshot of these hosts' VMs, and what prune would do with it.

    Raises what asking the vCenter raised where none could be asked.
    """
    inventory = context.store.inventory.hosts(include_inactive=True)
    with Connections(context.connect) as connections:
        found = find_vms_and_snapshots(hosts, inventory, connections, sizes=True)
    return [*plan_prune(context, found, None), *failures(found)]


def select_hosts(
    store: Store,
    *,
    names: Sequence[str],
    group: str | None,
    environment: str | None,
    vcenter: str | None,
) -> list[HostRecord]:
    """The active hosts with a vCenter that fit; all of them where nothing is named.

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


def find_vms_and_snapshots(
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
    errors = [error.within(f"vCenter {name}") for name, error in found.errors.items()]
    if found.error is None:
        return found
    if len(errors) == 1:
        raise errors[0]
    raise VSphereError(
        "no vCenter could be used: " + "; ".join(error.message for error in errors),
        code=errors[0].code,
    )


def plan_prune(
    context: Context, found: FoundVms, older_than: timedelta | None
) -> list[SnapshotRow]:
    """What prune does with each snapshot that was found, by the settings, or by `older_than`."""
    store = context.store
    hours = store.inventory.settings()["snapshot_retention_hours"]
    policy = Policy(
        older_than=older_than or timedelta(hours=hours),
        only_recorded=context.config.snapshots.prune_only_recorded,
    )
    ids: dict[str, list[str]] = {name: [] for name in found.vcenters}
    for host_vm in found.host_vms:
        ids[host_vm.host.vcenter or ""] += [snapshot.id for snapshot in host_vm.tree.snapshots]
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
    """Why the snapshots of a host are kept that a run holds."""
    return f"host {host} is locked by run {run}"


def failures(found: FoundVms) -> list[SnapshotRow]:
    """A row for each vCenter that could not be asked, and for each host without its VM."""
    rows = []
    for vcenter in found.vcenters:
        if vcenter in found.errors:
            rows.append(failure(vcenter, None, found.errors[vcenter].message))
        rows += [
            failure(vcenter, missing.host.name, missing.reason)
            for missing in found.missing
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
        if row.age > ADVISED_AGE:
            hours = row.age / timedelta(hours=1)
            warnings.append(f"{row.host}: {row.snapshot.name!r} is {hours:.0f} h old")
        if row.snapshot.depth == ADVISED_DEPTH + 1:
            warnings.append(f"{row.host}: its snapshot chain is deeper than {ADVISED_DEPTH}")
    return warnings


def left_behind(host: HostRecord, connect: Connect) -> tuple[str, ...]:
    """What a person should know of the VM of a host that leaves the inventory, a sentence each.

    A vCenter that can't be asked is one of these sentences: it is no reason to keep a host.
    """
    with Connections(connect) as connections:
        found = find_host_vms([host], connections)
    reasons = [error.message for error in found.errors.values()]
    reasons += [missing.reason for missing in found.missing if missing.problem is Problem.NO_VM]
    sentences = [f"can't tell whether snapshots stay behind: {reason}" for reason in reasons]
    for host_vm in found.host_vms:
        vm = host_vm.vm
        if vm.addresses and host.ip not in vm.addresses:
            sentences.append(f"VM {vm.name} reports {', '.join(vm.addresses)}, not {host.ip}")
        names = [s.name for s in host_vm.tree.snapshots if retention.is_automatic(s.name)]
        if names:
            listed = ", ".join(repr(name) for name in names)
            sentences.append(f"snapshots of VM {vm.name} stay behind: {listed}")
    return tuple(sentences)
