"""Snapshots: the trees of many VMs in one query; create, remove and revert as vSphere tasks."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any, Self

from pyVmomi import vim

from diaken_cli import bounds
from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere import vms
from diaken_cli.services.vsphere.names import unescape
from diaken_cli.services.vsphere.properties import (
    InventoryObject,
    Properties,
    collect_as,
    not_understood,
    read,
    reference,
)
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.types import Snapshot

REVERT = "vm.Snapshot.revert"
"""TaskInfo.descriptionId of a revert."""

_PATHS = ("snapshot", "runtime.consolidationNeeded", "datastore")

_CLOCKS = timedelta(minutes=10)
"""By which the clock of an ESXi host, which dates snapshots, may differ from vCenter's."""


@dataclass(frozen=True)
class SnapshotTree:
    """A VM's snapshots, a parent before its children.

    `consolidation_needed`: disks of a removed snapshot are still in the chain
    (VirtualMachineRuntimeInfo). `datastores` are the references of those that the VM is on,
    `current` is the snapshot that it goes on from. `odd` is why vCenter's answer could not be
    understood: then nobody knows what it has.
    """

    vm: str
    snapshots: tuple[Snapshot, ...] = ()
    consolidation_needed: bool = False
    datastores: tuple[str, ...] = ()
    current: str | None = None
    odd: str | None = None

    @property
    def sizes(self) -> dict[str, int | None]:
        """What the snapshots take up, in bytes, as far as that was asked for."""
        return {snapshot.id: snapshot.size for snapshot in self.snapshots}

    def with_sizes(self, size_of: Mapping[str, int | None]) -> Self:
        """The same, with what the snapshots take up."""
        sized = (replace(snapshot, size=size_of.get(snapshot.id)) for snapshot in self.snapshots)
        return replace(self, snapshots=tuple(sized))


@dataclass(frozen=True)
class VmState:
    """Whether a VM is on, off or suspended, and the snapshot that it goes on from."""

    power: str
    current: str | None


def find_snapshots(
    session: Session, *, addresses: bool = True
) -> tuple[tuple[VirtualMachine, SnapshotTree], ...]:
    """All VMs that the account may see with their snapshots, by name, in one query.

    Without `addresses` they are known by their UUIDs alone, and the answer is half as large.
    """
    of_vm = [path for path in vms.PATHS if addresses or path not in vms.ADDRESSES]

    count = 0

    def build(entry: InventoryObject) -> tuple[VirtualMachine, SnapshotTree]:
        nonlocal count
        tree = _tree(entry.values)
        count += len(tree.snapshots)
        if count > bounds.VCENTER_SNAPSHOTS:
            raise VSphereError(
                f"vCenter {session.server} has more than {bounds.VCENTER_SNAPSHOTS} snapshots",
                hint="Use an account that can see fewer VMs.",
                code="too_many",
            )
        return vms.virtual_machine(entry.reference, entry.values), tree

    pairs = collect_as(session, {vim.VirtualMachine: (*of_vm, *_PATHS)}, build)
    return tuple(sorted(pairs, key=lambda pair: (pair[0].name, pair[0].ref)))


def snapshot_trees(session: Session, vm_refs: Iterable[str]) -> dict[str, SnapshotTree]:
    """Every snapshot of these VMs, by VM reference, in one query; a VM that is gone is left out.

    `created_at` is vCenter's, in UTC: compare it with `session.now()`.
    """
    rows = read(session, vim.VirtualMachine, vm_refs, ("name", "config.instanceUuid", *_PATHS))
    return {ref: _tree(values) for ref, values in rows.items()}


def snapshot_sizes(session: Session, trees: Mapping[str, SnapshotTree]) -> dict[str, int]:
    """What the snapshots of these VMs take up, in bytes, by snapshot, as far as vCenter tells.

    `trees` are by the reference of their VM.
    """
    rows = read(session, vim.VirtualMachine, trees, ("layoutEx",))
    return {
        snapshot: size
        for ref, values in rows.items()
        if "layoutEx" in values
        for snapshot, size in sizes_in(trees[ref], values["layoutEx"]).items()
    }


def vm_states(session: Session, vm_refs: Iterable[str]) -> dict[str, VmState]:
    """These VMs by reference, in one query; one that is gone is left out."""
    rows = read(session, vim.VirtualMachine, vm_refs, ("runtime.powerState", "snapshot"))
    return {
        ref: VmState(vms.power_state_in(values), _current(values.get("snapshot")))
        for ref, values in rows.items()
    }


def find_created(
    session: Session, vm_refs: Iterable[str], name: str, description: str, *, within: float
) -> dict[str, str | None]:
    """The snapshot, by VM, that has this name and description and was taken in the last seconds.

    None where what vCenter answers for the VM can't be understood.
    """
    since = session.now() - timedelta(seconds=within) - _CLOCKS
    rows = read(session, vim.VirtualMachine, vm_refs, ("snapshot",))
    odd = dict.fromkeys(ref for ref, row in rows.items() if "snapshot" in not_understood(row))
    return odd | {
        ref: reference(node.snapshot)
        for ref, values in rows.items()
        if "snapshot" in values
        for node in _nodes(values["snapshot"].rootSnapshotList)
        if (unescape(node.name), node.description) == (name, description)
        and node.createTime.astimezone(UTC) >= since
    }


def create_snapshot(
    session: Session, vm_ref: str, name: str, description: str, *, quiesce: bool | None = None
) -> str:
    """CreateSnapshot_Task without memory; the task's `result` is the snapshot's reference.

    `quiesce` None: when the VM is powered on and its VMware Tools run.
    """
    if quiesce is None:
        quiesce = vms.read_vm(session, vm_ref).can_quiesce
    vm = session.managed(vim.VirtualMachine, vm_ref)
    return reference(vm.CreateSnapshot_Task(name, description, memory=False, quiesce=quiesce))


def remove_snapshot(session: Session, snapshot_ref: str) -> str:
    """RemoveSnapshot_Task: its children stay, its disks are consolidated."""
    snapshot = session.managed(vim.vm.Snapshot, snapshot_ref)
    return reference(snapshot.RemoveSnapshot_Task(removeChildren=False, consolidate=True))


def revert(session: Session, snapshot_ref: str, *, stay_off: bool = False) -> str:
    """RevertToSnapshot_Task; after one without memory the VM is powered off.

    `stay_off`: after one with memory, too.
    """
    snapshot = session.managed(vim.vm.Snapshot, snapshot_ref)
    return reference(snapshot.RevertToSnapshot_Task(suppressPowerOn=stay_off))


def _tree(values: Properties) -> SnapshotTree:
    info = values.get("snapshot")
    roots = info.rootSnapshotList if info is not None else ()
    uuid = values.get("config.instanceUuid") or ""
    name = unescape(values.get("name", ""))
    return SnapshotTree(
        vm=name,
        snapshots=tuple(_walk(roots, uuid, name)),
        consolidation_needed=bool(values.get("runtime.consolidationNeeded")),
        datastores=tuple(reference(store) for store in values.get("datastore") or ()),
        current=_current(info),
        odd=not_understood(values).get("snapshot"),
    )


def _current(info: Any) -> str | None:
    """The current snapshot of a VirtualMachineSnapshotInfo, which a VM without snapshots lacks."""
    return None if info is None or info.currentSnapshot is None else reference(info.currentSnapshot)


def _walk(roots: Iterable[Any], vm_uuid: str, vm: str) -> Iterator[Snapshot]:
    waiting: list[tuple[Any, int, str | None]] = [(node, 1, None) for node in reversed(list(roots))]
    while waiting:
        node, depth, parent = waiting.pop()
        ref = reference(node.snapshot)
        yield Snapshot(
            vm_uuid=vm_uuid,
            vm=vm,
            id=ref,
            name=unescape(node.name),
            created_at=node.createTime.astimezone(UTC),
            depth=depth,
            parent=parent,
        )
        waiting += [(child, depth + 1, ref) for child in reversed(node.childSnapshotList)]


def sizes_in(tree: SnapshotTree, layout: Any) -> dict[str, int]:
    """Bytes by snapshot reference, of a VM's snapshots and its FileLayoutEx.

    A snapshot takes up its own state, its memory, and what was written after it until the next
    ones were taken: the disk files that these (or the running VM) have and it has not. So the
    disk that all of them stand on is nobody's. One that the layout does not list is left out.
    https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.FileLayoutEx.html
    """
    size_of = {file.key: file.size for file in layout.file}
    states = {reference(state.key): state for state in layout.snapshot}
    files_of = {ref: _disk_files(state.disk) for ref, state in states.items()}
    later_files: dict[str | None, set[int]] = defaultdict(set)
    for snapshot in tree.snapshots:
        later_files[snapshot.parent] |= files_of.get(snapshot.id, set())
    later_files[tree.current] |= _disk_files(layout.disk)
    sizes = {}
    for snapshot in tree.snapshots:
        state = states.get(snapshot.id)
        if state is not None:
            files = later_files[snapshot.id] - files_of[snapshot.id]
            files |= {state.dataKey, state.memoryKey}
            sizes[snapshot.id] = sum(size_of.get(key, 0) for key in files)
    return sizes


def _nodes(roots: Iterable[Any]) -> Iterator[Any]:
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.childSnapshotList


def _disk_files(disks: Iterable[Any]) -> set[int]:
    return {key for disk in disks for unit in disk.chain for key in unit.fileKey}
