"""VMs as servers that an inventory could have: which, called what, and in which folder."""

from dataclasses import dataclass

from pyVmomi import vim

from diaken_cli.services.vsphere.inventory import (
    Datacenter,
    Tree,
    as_datacenter,
    chosen_datacenters,
)
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import PATHS, VirtualMachine, virtual_machine


@dataclass(frozen=True)
class Server:
    """A VM that is no template.

    `guest_name` is the host name that VMware Tools report, `folder` the name of its folder, None
    where that is the datacenter's own.
    """

    vm: VirtualMachine
    path: str
    guest_name: str | None
    folder: str | None


def read_servers(session: Session, datacenter: str | None = None) -> tuple[Server, ...]:
    """The VMs of a datacenter (a name or path) or of all, by their paths, in one query.

    As far as the account may see them, templates left out. Raises NotFound for the datacenter.
    """
    tree = Tree(
        collect(
            session,
            {
                vim.VirtualMachine: (*PATHS, "guest.hostName"),
                vim.Folder: ("name", "parent"),
                vim.Datacenter: ("name", "parent", "vmFolder"),
            },
        )
    )
    datacenters: tuple[Datacenter, ...] = tree.rows(vim.Datacenter, as_datacenter)
    inside = chosen_datacenters(datacenters, datacenter)
    roots = {datacenter.vm_folder for datacenter in datacenters}

    def build(entry: InventoryObject, tree: Tree) -> Server | None:
        vm = virtual_machine(entry.reference, entry.values, extra_config=False)
        place = tree.place(entry)
        if vm.template or (inside is not None and place["datacenter"] not in inside):
            return None
        folder = tree.entries.get(vm.folder or "") if vm.folder not in roots else None
        return Server(
            vm=vm,
            path=place["path"],
            guest_name=bounded_line(entry.values.get("guest.hostName") or "") or None,
            folder=unescape(folder.values.get("name", "")) if folder is not None else None,
        )

    return tree.rows(vim.VirtualMachine, build)
