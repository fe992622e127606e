"""The VMs of a vCenter: running, with an IPv4 address and a name that a host can have."""

from collections.abc import Sequence

from diaken_cli import units
from diaken_cli.actions.hosts import GivenHost
from diaken_cli.actions.importing.candidates import Candidate, Source, as_label
from diaken_cli.services.vsphere.servers import Server

LABELS = {"NAME": "name", "--ip": "address", "--vm-uuid": "instance UUID", "--group": "folder"}
LINK_LOCAL = "169.254."  # RFC 3927: what a machine gives itself where nobody gives it one


def source(servers: Sequence[Server], vcenter: str) -> Source:
    """The candidates among these VMs of a vCenter."""
    return Source(tuple(_candidate(each, vcenter) for each in servers), LABELS, guesses=True)


def _candidate(server: Server, vcenter: str) -> Candidate:
    vm = server.vm
    addresses = tuple(each for each in vm.addresses if not each.startswith(LINK_LOCAL))
    unfit = None
    if vm.power_state != "on":
        unfit = "the VM is suspended" if vm.power_state == "suspended" else "the VM is powered off"
    elif not addresses:
        unfit = "the VM reports no IPv4 address"
        unfit += "" if vm.tools_running else ": VMware Tools do not run"
    elif not vm.instance_uuid:
        unfit = "the VM's instance UUID can't be read"
    return Candidate(
        origin=f"VM {server.path}",
        name=_name(server),
        given=GivenHost(
            ip=addresses[0] if addresses else None,
            group=as_label(server.folder) if server.folder else None,
            vcenter=vcenter,
            vm_uuid=vm.instance_uuid or None,
        ),
        addresses=addresses,
        unfit=unfit,
    )


def _name(server: Server) -> str:
    """The VM's name where a host can have it, else its guest's."""
    for name in (server.vm.name, server.guest_name):
        try:
            return units.check_host_name(name or "")
        except ValueError:
            continue
    return server.vm.name
