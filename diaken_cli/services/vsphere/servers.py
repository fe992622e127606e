"""VMs as servers that an inventory could have: which, called what, and in which folder."""

from dataclasses import dataclass

from pyVmomi import vim

from diaken_cli.services.vsphere.inventory import Tree
from diaken_cli.services.vsphere.names import unescape
from diaken_cli.services.vsphere.properties import collect, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import PATHS, VirtualMachine, virtual_machine


@dataclass(frozen=True)
class Server:
    """A VM that is no template.

    `guest_name` is the host name that VMware Tools report, `folder` the name of its folder, None
    where that is the datacenter's own; `datacenter` is the name of that and `path` the VM's.
    """

    vm: VirtualMachine
    path: str
    datacenter: str
    guest_name: str | None
    folder: str | None


def read_servers(session: Session) -> tuple[Server, ...]:
    """All VMs that the account may see, but for templates, by their paths, in one query."""
    found = collect(
        session,
        {
            vim.VirtualMachine: (*PATHS, "guest.hostName"),
            vim.Folder: ("name", "parent"),
            vim.Datacenter: ("name", "parent", "vmFolder"),
        },
    )
    tree = Tree(found)
    roots = {reference(each.values["vmFolder"]) for each in found if "vmFolder" in each.values}
    servers = []
    for each in found:
        if not isinstance(each.managed, vim.VirtualMachine):
            continue
        vm, place = (
            virtual_machine(each.reference, each.values, extra_config=False),
            tree.place(each),
        )
        folder = tree.found.get(vm.folder or "")
        datacenter = tree.found.get(place["datacenter"] or "")
        named = folder is not None and folder.reference not in roots
        if not vm.template:
            server = Server(
                vm=vm,
                path=place["path"],
                datacenter=unescape(datacenter.values.get("name", "")) if datacenter else "",
                guest_name=each.values.get("guest.hostName") or None,
                folder=unescape(folder.values.get("name", "")) if folder and named else None,
            )
            servers.append(server)
    return tuple(sorted(servers, key=lambda server: (server.path, server.vm.ref)))
