"""`--reuse-existing`: whether the VM of a host that exists already is what was asked for."""

from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.services.vsphere.hardware import read_hardware
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import by_uuid, find_vms
from diaken_cli.store.records import HostRecord
from diaken_cli.units import format_cpus, format_size
from diaken_cli.words import DeployRequest


def check_vm(request: DeployRequest, host: HostRecord, vcenter: Session) -> None:
    """See that the host's VM is there, powered on, and has the hardware that was asked for.

    Raises Conflict where there is no such VM, InvalidInput with every difference.
    """
    vm = by_uuid(find_vms(vcenter), host.vm_uuid) if host.vm_uuid else None
    if vm is None:
        raise Conflict(
            f"host {host.name} exists, but vCenter {request.vcenter} has no VM with its UUID",
            code="gone",
            hint=f"See: diaken hosts show {host.name}",
        )
    found = []
    if vm.power_state != "on":
        found.append(
            Mistake("NAME", host.name, f"its VM is {vm.power_state}, not on", kind="in_use")
        )
    elif vm.addresses and request.ip not in vm.addresses:
        said = f"its VM reports {', '.join(vm.addresses)}, not {request.ip}"
        found.append(Mistake("--ip", request.ip, said, kind="in_use"))
    hardware = read_hardware(vcenter, [vm.ref]).get(vm.ref)
    if hardware is not None:
        if request.cpus not in (None, hardware.cpus):
            said = f"its VM has {format_cpus(hardware.cpus)}, not {request.cpus}"
            found.append(Mistake("--cpus", str(request.cpus), said, kind="in_use"))
        if request.memory not in (None, hardware.memory):
            asked = format_size(request.memory or 0)
            said = f"its VM has {format_size(hardware.memory)}, not {asked}"
            found.append(Mistake("--memory", asked, said, kind="in_use"))
        if request.disk is not None and request.disk not in hardware.disks[:1]:
            asked = format_size(request.disk)
            has = ", ".join(map(format_size, hardware.disks[:1])) or "no disk"
            found.append(Mistake("--disk", asked, f"its VM has {has}, not {asked}", kind="in_use"))
    if found:
        raise InvalidInput(found)
