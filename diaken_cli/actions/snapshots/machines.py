"""Which VM belongs to which host: by its stored instance UUID, and only without one by address."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord


@dataclass(frozen=True)
class Located:
    """A host and its VM, or the reason why there is none; `by_address`: its UUID is new to us."""

    host: HostRecord
    vm: VirtualMachine | None = None
    by_address: bool = False
    reason: str | None = None


class Machines:
    """The VMs of a vCenter, found for a thousand hosts without looking at all of them for each."""

    def __init__(self, vms: Sequence[VirtualMachine]) -> None:
        self._by_uuid = {vm.instance_uuid.casefold(): vm for vm in vms}
        self._by_address: dict[str, list[VirtualMachine]] = defaultdict(list)
        for vm in vms:
            for address in () if vm.template else vm.addresses:
                self._by_address[address].append(vm)

    def locate(self, host: HostRecord) -> Located:
        """The VM of a host.

        A stored UUID that vCenter does not have is "not found", never a reason to look by address:
        another VM may have the address by now. Templates never count.
        """
        if host.vm_uuid is not None:
            vm = self._by_uuid.get(host.vm_uuid.casefold())
            if vm is None:
                reason = f"VM not found: no VM has the instance UUID {host.vm_uuid}"
                return Located(host, reason=reason)
            return Located(host, vm)
        found = self._by_address.get(host.ip, [])
        if not found:
            return Located(host, reason=f"VM not found: none reports the address {host.ip}")
        if len(found) > 1:
            names = ", ".join(vm.name for vm in found)
            return Located(host, reason=f"several VMs report the address {host.ip}: {names}")
        return Located(host, found[0], by_address=True)
