"""A clone's disk: its own file, made larger after the clone; whatever else is edited with it."""

from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.disks import Disk, disk_devices, enlarge_first_disk, read_disks
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.properties import read_one, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tasks import wait
from diaken_cli.services.vsphere.templates import Placement, network_adapters, start_clone
from diaken_cli.services.vsphere.vms import destroy, find_vms
from tests.integration.vsphere.simulator import (
    GIBIBYTE,
    IDENTITY,
    finish,
    request,
    simulator_of_module,
)

running_simulator = simulator_of_module(vms=0)


def clone(session: Session, name: str, **wanted: Any) -> str:
    asked = request(name, **wanted)
    placement = resolve_placement(session, asked)
    assert isinstance(placement, Placement), placement
    ref = finish(session, start_clone(session, placement, asked, IDENTITY)).result
    assert ref is not None
    return ref


def devices(session: Session, ref: str) -> Any:
    vm = session.managed(vim.VirtualMachine, ref)
    return read_one(session, vm, ["config.hardware.device"])["config.hardware.device"]


def template(session: Session) -> str:
    return next(vm.ref for vm in find_vms(session) if vm.name == "debian12")


def only_disk(session: Session, ref: str) -> Disk:
    (disk,) = read_disks(session, ref)
    return disk


def test_a_clone_has_a_file_and_an_address_of_its_own(session: Session) -> None:
    ref = clone(session, "app01", disk=60 * GIBIBYTE, network="DC0_DVPG1")

    own, original = only_disk(session, ref), only_disk(session, template(session))
    assert own.file == "[LocalDS_0] app01/app01.vmdk"
    assert original.file == "[LocalDS_0] debian12/debian12.vmdk"
    assert own.in_vm_folder
    assert own.uuid not in (None, original.uuid)
    assert own.size == 10 * GIBIBYTE, "it is enlarged once it is there"
    refs = (ref, template(session))
    macs = {network_adapters(devices(session, each))[0].macAddress for each in refs}
    assert len(macs) == len(refs)


def test_a_disk_is_enlarged_in_place_and_again(session: Session) -> None:
    ref = clone(session, "app02")
    before = only_disk(session, ref)

    for _ in range(2):
        finish(session, enlarge_first_disk(session, ref, 60 * GIBIBYTE))

    own = only_disk(session, ref)
    assert (own.size, own.file, own.uuid) == (60 * GIBIBYTE, before.file, before.uuid)
    device = disk_devices(devices(session, ref))[0]
    assert device.capacityInKB * 1024 == device.capacityInBytes
    assert only_disk(session, template(session)).size == 10 * GIBIBYTE
    finish(session, destroy(session, ref))
    clone(session, "app03")  # the template is whole


@pytest.mark.parametrize(
    ("size", "code"),
    [(3 * 1024 * GIBIBYTE, "no_disk_space"), (GIBIBYTE, "invalid_device_operation")],
)
def test_a_disk_that_can_not_be_made_so_large_stays(session: Session, size: int, code: str) -> None:
    ref = clone(session, f"app-{code.replace('_', '-')}")
    task = enlarge_first_disk(session, ref, size)
    error = wait(session, [task], timeout=60)[task].error
    assert error is not None
    assert error.code == code
    assert only_disk(session, ref).size == 10 * GIBIBYTE


def test_a_vm_without_a_disk_is_named(session: Session) -> None:
    ref = clone(session, "app04")
    vm = session.managed(vim.VirtualMachine, ref)
    lost = [
        vim.vm.device.VirtualDeviceSpec(operation="remove", device=device)
        for device in disk_devices(devices(session, ref))
    ]
    finish(session, reference(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=lost))))
    assert read_disks(session, ref) == ()
    with pytest.raises(VSphereError, match=r"the VM app04 \(vm-\d+\) no longer has a disk") as gone:
        enlarge_first_disk(session, ref, 60 * GIBIBYTE)
    assert gone.value.code == "gone"
