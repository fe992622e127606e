"""Which VM is this run's, with which disks: the rule of what may be touched, and destroyed.

Clones inherit `extraConfig`, so a copy that somebody made bears the identity too. A VM is the
run's own only when the identity matches and its instance UUID is the one that the clone returned;
or, where diaken died before it knew that, when it is the only VM with that identity, bears the
requested name and is younger than the run. A VM that can't be read just now (its datastore or its
ESXi host is gone) is not one that is not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from diaken_cli.errors import Conflict, OperationFailed
from diaken_cli.services.vsphere.disks import Disk
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.types import Identity

AMBIGUOUS = "ambiguous_vm"
"""The code of the error that says that the rule does not single one VM out."""


def find_own_vm(
    vms: Sequence[VirtualMachine],
    *,
    identity: Identity,
    name: str,
    folder: str,
    vm: str | None,
    vm_uuid: str | None,
    run_began: datetime | None,
) -> VirtualMachine | None:
    """The run's own VM among all of its vCenter, or None where there is none.

    `folder` is where it was to be, `vm` and `vm_uuid` are what the clone returned, `run_began` is
    the vCenter's clock at the begin of the run. Raises Conflict, naming every VM in question, where
    the rule does not single one out, and OperationFailed where one that may be it can't be read.
    """
    if vm_uuid is not None:
        owned = _by_uuid(vms, identity, vm_uuid)
        if owned is None:
            refuse_unreadable(candidate for candidate in vms if candidate.ref == vm)
        return owned
    bearers = [vm for vm in vms if vm.identity == identity]
    if not bearers:
        refuse_unreadable(vm for vm in vms if (vm.name, vm.folder) == (name, folder))
        return None
    if len(bearers) > 1:
        raise _ambiguous("several VMs carry this run's identity", bearers)
    only = bearers[0]
    if only.name != name:
        raise _ambiguous(f"a VM with this run's identity is not named {name}", bearers)
    if only.created_at is None or run_began is None or only.created_at < run_began:
        raise _ambiguous("a VM with this run's identity is not younger than the run", bearers)
    return only


def refuse_unreadable(candidates: Iterable[VirtualMachine]) -> None:
    """Raises OperationFailed for a VM whose UUID and identity can't be read."""
    for vm in candidates:
        if not vm.readable:
            raise OperationFailed(
                f"can't tell whether the VM {vm.name} ({vm.ref}) belongs to this run: it can't be"
                " read; it was not touched",
                code="unreadable_vm",
                hint="Check the VM in vCenter: its datastore or its ESXi host may be gone.",
            )


def _by_uuid(
    vms: Sequence[VirtualMachine], identity: Identity, vm_uuid: str
) -> VirtualMachine | None:
    for vm in vms:
        if vm.instance_uuid.casefold() == vm_uuid.casefold():
            if vm.identity != identity:
                raise _ambiguous("the VM no longer carries this run's identity", [vm])
            return vm
    return None


def _ambiguous(what: str, vms: Sequence[VirtualMachine]) -> Conflict:
    named = ", ".join(f"{vm.name} ({vm.ref}, instance UUID {vm.instance_uuid})" for vm in vms)
    return Conflict(
        f"{what}: {named}; none was touched",
        code=AMBIGUOUS,
        hint="Check them in vCenter, and remove what is not needed there by hand.",
    )


# ── its disks ────────────────────────────────────────────────────────────────────────────────


def disks_made(
    disks: Iterable[Disk], template: Iterable[Disk], *, just_now: bool
) -> dict[str, str | None]:
    """The files of the disks that a clone made, each with the disk's UUID, where it has one.

    A file of the template is never among them. Unless the clone ended `just_now`, somebody may
    have attached others since: then only those count that are where the template has a disk, on a
    file beside the VM's own.
    """
    template = tuple(template)
    places = {disk.key for disk in template}
    return {
        disk.file: disk.uuid
        for disk in disks
        if disk.file not in _files(template)
        and (just_now or (disk.in_vm_folder and (not places or disk.key in places)))
    }


def foreign_disks(
    disks: Iterable[Disk], made: Mapping[str, str | None], template: Iterable[Disk]
) -> list[str]:
    """The files of those disks that the clone did not make, and that the run may not destroy.

    One that was made is known by its file, also below a snapshot's; and by its UUID, where vCenter
    has moved it to another datastore. The template's files are never the run's.
    """
    of_template = _files(template)
    uuids = {uuid for uuid in made.values() if uuid is not None}
    return [
        disk.file
        for disk in disks
        if disk.file in of_template or not (made.keys() & set(disk.files) or disk.uuid in uuids)
    ]


def _files(disks: Iterable[Disk]) -> set[str]:
    return {file for disk in disks for file in disk.files}
