"""The virtual hardware of templates."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.services.vsphere.inventory import MEBIBYTE
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.properties import read, read_one
from diaken_cli.services.vsphere.session import Session

GIBIBYTE = 1024 * MEBIBYTE
_PATHS = ("config.hardware", "config.guestFullName")


@dataclass(frozen=True)
class Hardware:
    """A VM's virtual hardware: memory and the disks' capacities in bytes, in the VM's order.

    `network` is the name or the key of the portgroup that its first network adapter is on.
    """

    cpus: int
    memory: int
    disks: tuple[int, ...]
    network_adapters: int
    guest: str
    network: str | None = None


def read_hardware(session: Session, vm_refs: Iterable[str]) -> dict[str, Hardware]:
    """The hardware of these VMs by reference; one that is gone or not readable is left out."""
    hardware_of = {}
    for ref, values in read(session, vim.VirtualMachine, vm_refs, _PATHS).items():
        hardware = values.get("config.hardware")
        if hardware is not None:
            hardware_of[ref] = Hardware(
                cpus=int(hardware.numCPU),
                memory=int(hardware.memoryMB) * MEBIBYTE,
                disks=tuple(capacity(disk) for disk in disks(hardware.device)),
                network_adapters=len(network_adapters(hardware.device)),
                guest=bounded_line(values.get("config.guestFullName") or ""),
                network=_first_network(hardware.device),
            )
    return hardware_of


def disk_files(session: Session, vm_ref: str) -> dict[int, str]:
    """The files of a VM's disks ("[datastore] folder/name.vmdk") by device key, which stays.

    Raises VSphereError (`gone`).
    """
    managed = session.managed(vim.VirtualMachine, vm_ref)
    devices = read_one(session, managed, ["config.hardware.device"]).get("config.hardware.device")
    return {
        int(disk.key): bounded_line(getattr(disk.backing, "fileName", "") or f"device {disk.key}")
        for disk in disks(devices or ())
    }


def disks(devices: Iterable[Any]) -> list[Any]:
    """The disks among the devices, in the order of their controllers and units."""
    found = [device for device in devices if isinstance(device, vim.vm.device.VirtualDisk)]
    return sorted(found, key=lambda disk: (disk.controllerKey or 0, disk.unitNumber or 0))


def network_adapters(devices: Iterable[Any]) -> list[Any]:
    """The network adapters among the devices, in the order that the guest numbers them."""
    cards = [device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    return sorted(cards, key=lambda card: int(card.key))


def _first_network(devices: Iterable[Any]) -> str | None:
    for adapter in network_adapters(devices)[:1]:
        port = getattr(adapter.backing, "port", None)
        key = port.portgroupKey if port else getattr(adapter.backing, "deviceName", None)
        return bounded_line(str(key)) if key else None
    return None


def capacity(disk: Any) -> int:
    """A disk's size in bytes."""
    return int(disk.capacityInBytes or disk.capacityInKB * 1024)


def needed_room(template: Hardware, disk: int | None) -> int:
    """What a clone's disks take at their full size, in bytes: also thin ones grow to that.

    `disk` is the size of the first one, None is the template's.
    """
    return sum(template.disks) - template.disks[0] + (disk or template.disks[0])


def check_disk(size: int, template: Hardware) -> None:
    """Raises ValueError for a first disk, in bytes, that is smaller than the template's."""
    if template.disks and size < template.disks[0]:
        least = rounded_size(template.disks[0])
        raise ValueError(f"the template's first disk has {least}, and a disk can't be made smaller")


def rounded_size(amount: int) -> str:
    """Bytes as a person would give them to an option: 60G, 512M."""
    if amount >= GIBIBYTE:
        return f"{amount / GIBIBYTE:.1f}".removesuffix(".0") + "G"
    return f"{amount / MEBIBYTE:.1f}".removesuffix(".0") + "M"
