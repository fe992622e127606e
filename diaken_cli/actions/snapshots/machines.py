"""Which VM belongs to which host: by its stored instance UUID, and only without one by address."""

from collections.abc import Sequence
from dataclasses import dataclass

from diaken_cli.services.vsphere.vms import VirtualMachine, by_address, by_uuid
from diaken_cli.store.records import HostRecord


@dataclass(frozen=True)
class Located:
    """A host and its VM, or the reason why there is none; `by_address`: its UUID is new to us."""

    host: HostRecord
    vm: VirtualMachine | None = None
    by_address: bool = False
    reason: str | None = None


def locate(host: HostRecord, vms: Sequence[VirtualMachine]) -> Located:
    """The VM of a host among all those of its vCenter.

    A stored UUID that vCenter does not have is "not found", never a reason to look by address:
    another VM may have the address by now. Templates never count.
    """
    if host.vm_uuid is not None:
        vm = by_uuid(vms, host.vm_uuid)
        if vm is None:
            return Located(host, reason=f"VM not found: no VM has the instance UUID {host.vm_uuid}")
        return Located(host, vm)
    found = by_address(vms, host.ip)
    if not found:
        return Located(host, reason=f"VM not found: none reports the address {host.ip}")
    if len(found) > 1:
        names = ", ".join(vm.name for vm in found)
        return Located(host, reason=f"several VMs report the address {host.ip}: {names}")
    return Located(host, found[0], by_address=True)
