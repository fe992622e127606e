"""Which hosts of the inventory a VM belongs to: one that has several is nobody's to change."""

from collections.abc import Iterable, Mapping

from diaken_cli.actions.snapshots.machines import Machines
from diaken_cli.actions.snapshots.survey import Surveyed
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord

Key = tuple[str, str, str]
"""The instance UUID of a vCenter, and the reference and instance UUID of a VM there."""


def key_of(answer: Surveyed, vm: VirtualMachine) -> Key:
    """Which VM that is, also where one vCenter is known under two names."""
    return answer.instance_uuid, vm.ref, vm.instance_uuid


def owners(
    answers: Iterable[Surveyed], inventory: Iterable[HostRecord]
) -> Mapping[Key, tuple[str, ...]]:
    """The names of all hosts, inactive ones too, whose VM it is said to be."""
    everyone = list(inventory)
    found: dict[Key, tuple[str, ...]] = {}
    for answer in answers:
        machines = Machines(answer.vms)
        for host in everyone:
            if host.vcenter != answer.vcenter:
                continue
            vm = machines.locate(host).vm
            if vm is not None:
                key = key_of(answer, vm)
                found[key] = (*found.get(key, ()), host.name)
    return found
