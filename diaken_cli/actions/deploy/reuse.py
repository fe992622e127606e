"""`--reuse-existing`: whether a host that exists, and its VM, are as requested."""

from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.hardware import read_hardware
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import by_uuid, find_vms
from diaken_cli.store.records import HostRecord
from diaken_cli.units import format_cpus, format_size


def differences(request: DeployRequest, host: HostRecord) -> list[Mistake]:
    """A mistake for each value in which an existing host differs from the request."""
    pairs = {
        "--ip": (request.ip, host.ip),
        "--environment": (request.environment, host.environment),
        "--group": (request.group, host.group),
        "--vcenter": (request.vcenter, host.vcenter),
    }
    mistakes = []
    for option, (requested, current) in pairs.items():
        if requested != current:
            wanted = f"not {requested}" if requested else "and none was asked for"
            message = f"host {host.name} has {current or 'none'}, {wanted}"
            mistakes.append(Mistake(option, requested, message, kind="in_use"))
    if not host.active:
        message = f"host {host.name} is not active; see `diaken history list --host {host.name}`"
        mistakes.append(Mistake("NAME", host.name, message, kind="in_use"))
    return mistakes


def check_vm(request: DeployRequest, host: HostRecord, vcenter: Session) -> None:
    """See that the host's VM is there, powered on, and has the hardware that was requested.

    Raises Conflict where there is no such VM, InvalidInput with every difference.
    """
    vm = by_uuid(find_vms(vcenter), host.vm_uuid) if host.vm_uuid else None
    if vm is None:
        raise Conflict(
            f"host {host.name} exists, but vCenter {request.vcenter} has no VM with its UUID",
            code="gone",
            hint=f"See: diaken hosts show {host.name}",
        )
    mistakes = []
    if vm.power_state != "on":
        mistakes.append(
            Mistake("NAME", host.name, f"its VM is {vm.power_state}, not on", kind="in_use")
        )
    elif vm.addresses and request.ip not in vm.addresses:
        message = f"its VM reports {', '.join(vm.addresses)}, not {request.ip}"
        mistakes.append(Mistake("--ip", request.ip, message, kind="in_use"))
    hardware = read_hardware(vcenter, [vm.ref]).get(vm.ref)
    if hardware is not None:
        if request.cpus not in (None, hardware.cpus):
            message = f"its VM has {format_cpus(hardware.cpus)}, not {request.cpus}"
            mistakes.append(Mistake("--cpus", str(request.cpus), message, kind="in_use"))
        if request.memory not in (None, hardware.memory):
            requested = format_size(request.memory or 0)
            message = f"its VM has {format_size(hardware.memory)}, not {requested}"
            mistakes.append(Mistake("--memory", requested, message, kind="in_use"))
        if request.disk is not None and request.disk not in hardware.disks[:1]:
            requested = format_size(request.disk)
            actual_disk = ", ".join(map(format_size, hardware.disks[:1])) or "no disk"
            mistakes.append(
                Mistake(
                    "--disk", requested, f"its VM has {actual_disk}, not {requested}", kind="in_use"
                )
            )
    if mistakes:
        raise InvalidInput(mistakes)
