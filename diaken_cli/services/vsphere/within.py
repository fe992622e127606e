"""Which VMs are in the datacenter that is stored for a vCenter: the limit of what is looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import NotFound
from diaken_cli.services.vsphere.inventory import Entity, InventoryTree, build_datacenter
from diaken_cli.services.vsphere.matching import permitted_datacenter
from diaken_cli.services.vsphere.properties import InventoryObject, collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import VirtualMachine

_PLACES: Mapping[Any, Sequence[str]] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
}


@dataclass(frozen=True)
class Limit:
    """A stored datacenter, as it was named, and the references of the folders in it."""

    datacenter: str
    folders: frozenset[str]

    def has(self, vm: VirtualMachine) -> bool:
        """Whether a VM is there; one without a folder, in a vApp, may be."""
        return vm.folder is None or vm.folder in self.folders


def read_limit(session: Session) -> Limit | None:
    """The limit of a session, by one query; None is the whole vCenter.

    A datacenter that is not there, or one of several, has no folder, and so no VM.
    """
    if session.datacenter is None:
        return None
    tree = InventoryTree(collect(session, _PLACES))
    try:
        place = permitted_datacenter(
            tree.all_of(vim.Datacenter, build_datacenter), None, session.datacenter
        )
    except NotFound:
        place = None
    folders = tree.all_of(vim.Folder, _folder)
    inside = (each.ref for each in folders if place is not None and each.datacenter == place.ref)
    return Limit(session.datacenter, frozenset(inside))


def _folder(entry: InventoryObject, tree: InventoryTree) -> Entity:
    return Entity(**tree.entity_fields(entry))
