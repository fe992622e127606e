"""The disks of a VM: read as plain data with their files, and the first one made larger.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.device.VirtualDisk.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.properties import read_one, reference
from diaken_cli.services.vsphere.session import Session

_device = vim.vm.device


@dataclass(frozen=True)
class Disk:
    """A disk of a VM; its size is in bytes.

    The first of its `files` ("[datastore] folder/name.vmdk") is the one that is written: above a
    snapshot, those follow that it is based on. `uuid` stays where vCenter moves the files.
    `in_vm_folder`: that first file stands beside the VM's own configuration file.
    """

    key: int
    size: int
    files: tuple[str, ...]
    uuid: str | None = None
    in_vm_folder: bool = True

    @property
    def file(self) -> str:
        """The file that is written."""
        return self.files[0]


def read_disks(session: Session, vm_ref: str) -> tuple[Disk, ...]:
    """A VM's disks, in the order of their controllers and units.

    Behind them come devices of a kind that is not known here: each may be a disk. Raises
    VSphereError (`gone`), also where vCenter does not tell the devices, or in an unknown way.
    """
    managed = session.managed(vim.VirtualMachine, vm_ref)
    paths = ["config.hardware.device", "config.files.vmPathName"]
    values = read_one(session, managed, paths)
    folder = _folder(str(values.get("config.files.vmPathName") or ""))
    devices = values["config.hardware.device"]
    unknown = [device for device in devices if type(device) is _device.VirtualDevice]
    perhaps = (Disk(each.key, 0, (_unnamed(each, vm_ref),), in_vm_folder=False) for each in unknown)
    return (*(_disk(device, folder, vm_ref) for device in disk_devices(devices)), *perhaps)


def disk_devices(devices: Iterable[Any]) -> list[Any]:
    """The disks among the devices, in the order of their controllers and units."""
    found = [device for device in devices if isinstance(device, _device.VirtualDisk)]
    return sorted(found, key=lambda disk: (disk.controllerKey or 0, disk.unitNumber or 0))


def capacity(disk: Any) -> int:
    """The size of a disk's device in bytes."""
    return int(disk.capacityInBytes or disk.capacityInKB * 1024)


def enlarge_first_disk(session: Session, vm_ref: str, size: int) -> str:
    """ReconfigVM_Task that makes a VM's first disk that large, in bytes; it may be repeated.

    What is changed is the device as this VM has it now: no file of another VM is named. Raises
    VSphereError (`gone`) also where the VM has no disk.
    """
    managed = session.managed(vim.VirtualMachine, vm_ref)
    devices = read_one(session, managed, ["config.hardware.device"])["config.hardware.device"]
    first = next(iter(disk_devices(devices)), None)
    if first is None:
        name = session.transport.name_of(managed)
        raise VSphereError(f"the VM {name} no longer has a disk", code="gone")
    first.capacityInKB = size // 1024
    first.capacityInBytes = first.capacityInKB * 1024
    edit = _device.VirtualDeviceSpec(
        operation=_device.VirtualDeviceSpec.Operation.edit, device=first
    )
    return reference(managed.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[edit])))


def _unnamed(device: Any, vm_ref: str) -> str:
    """A name for a file that is not told: no other VM has it."""
    return f"device {device.key} of {vm_ref}"


def _disk(device: Any, folder: str, vm_ref: str) -> Disk:
    files = tuple(_files(device.backing)) or (_unnamed(device, vm_ref),)
    return Disk(
        key=int(device.key),
        size=capacity(device),
        files=files,
        uuid=bounded_line(getattr(device.backing, "uuid", None) or "") or None,
        in_vm_folder=bool(folder) and _folder(files[0]) == folder,
    )


def _files(backing: Any) -> Iterator[str]:
    while backing is not None:
        if name := getattr(backing, "fileName", None):
            yield bounded_line(name)
        backing = getattr(backing, "parent", None)


def _folder(file: str) -> str:
    return file.rpartition("/")[0]
