"""Snapshots: the trees of many VMs in one query; create, remove and revert as vSphere tasks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from pyVmomi import vim

from diaken_cli.services.vsphere.names import unescape
from diaken_cli.services.vsphere.properties import read, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import facts
from diaken_cli.words import Snapshot


@dataclass(frozen=True)
class SnapshotTree:
    """A VM's snapshots, a parent before its children.

    `consolidation_needed`: disks of a removed snapshot are still in the chain
    (VirtualMachineRuntimeInfo). `datastores` are the references of those that the VM is on.
    """

    vm: str
    snapshots: tuple[Snapshot, ...] = ()
    consolidation_needed: bool = False
    datastores: tuple[str, ...] = ()


def snapshot_trees(session: Session, vm_refs: Iterable[str]) -> dict[str, SnapshotTree]:
    """Every snapshot of these VMs, by VM reference, in one query; a VM that is gone is left out.

    `created_at` is vCenter's, in UTC: compare it with `session.now()`.
    """
    paths = (
        *("name", "config.instanceUuid", "snapshot"),
        *("runtime.consolidationNeeded", "datastore"),
    )
    rows = read(session, vim.VirtualMachine, vm_refs, paths)
    trees = {}
    for ref, values in rows.items():
        info = values.get("snapshot")
        roots = info.rootSnapshotList if info is not None else ()
        uuid = values.get("config.instanceUuid") or ""
        name = unescape(values.get("name", ""))
        trees[ref] = SnapshotTree(
            vm=name,
            snapshots=tuple(_walk(roots, uuid, name, 1, None)),
            consolidation_needed=bool(values.get("runtime.consolidationNeeded")),
            datastores=tuple(reference(each) for each in values.get("datastore") or ()),
        )
    return trees


def create_snapshot(
    session: Session, vm_ref: str, name: str, description: str, *, quiesce: bool | None = None
) -> str:
    """CreateSnapshot_Task without memory; the task's `result` is the snapshot's reference.

    `quiesce` None: when the VM is powered on and its VMware Tools run.
    """
    if quiesce is None:
        quiesce = facts(session, vm_ref).can_quiesce
    vm = session.managed(vim.VirtualMachine, vm_ref)
    return reference(vm.CreateSnapshot_Task(name, description, memory=False, quiesce=quiesce))


def remove_snapshot(session: Session, snapshot_ref: str) -> str:
    """RemoveSnapshot_Task: its children stay, its disks are consolidated."""
    snapshot = session.managed(vim.vm.Snapshot, snapshot_ref)
    return reference(snapshot.RemoveSnapshot_Task(removeChildren=False, consolidate=True))


def revert(session: Session, snapshot_ref: str) -> str:
    """RevertToSnapshot_Task; after one without memory the VM is powered off."""
    return reference(session.managed(vim.vm.Snapshot, snapshot_ref).RevertToSnapshot_Task())


def _walk(
    nodes: Iterable[Any], vm_uuid: str, vm: str, depth: int, parent: str | None
) -> Iterator[Snapshot]:
    for node in nodes:
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
        yield from _walk(node.childSnapshotList, vm_uuid, vm, depth + 1, ref)
