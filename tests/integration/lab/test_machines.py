"""A VM of the lab is an SSH host: booted, stopped, copied and wiped as vCenter says."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from tests.integration.lab.machines import (
    GIBIBYTE,
    Machine,
    TaskFailed,
    customization,
    destroy,
    device,
    extra_config,
    find,
    finish,
    running,
    start_clone,
)
from tests.lab_fixture import Lab
from tests.waiting import until


@pytest.fixture
def service(lab: Lab) -> Iterator[Any]:
    with lab.connect() as service:
        yield service


@pytest.fixture
def machine(lab: Lab, service: Any) -> Iterator[Machine]:
    with running(lab, service, "lab-a", "10.77.0.41") as machine:
        yield machine


def disks(lab: Lab) -> list[str]:
    """The disks of hosts in the lab's memory, which only its own mount namespace sees."""
    root = Path(f"/proc/{lab.pid}/root")
    return sorted(
        disk.name for disk in (root / lab.directory.relative_to("/")).glob("disks/hosts/*")
    )


def snapshot(machine: Machine, name: str, *, memory: bool = False) -> Any:
    """Ask for a snapshot; returns the task."""
    return machine.vm.CreateSnapshot_Task(
        name=name, description="by a test", memory=memory, quiesce=False
    )


def test_a_vm_that_is_on_is_a_host_at_its_address(lab: Lab, machine: Machine) -> None:
    assert machine.run("hostname; cat /etc/hostname").split() == ["lab-a", "lab-a"]
    assert "10.77.0.41/24" in machine.run("ip -4 address show dev eth0")
    assert machine.run("ip route show default").startswith("default via 10.77.0.254")
    assert machine.run("cat /etc/resolv.conf").splitlines() == [
        "search lab.example",
        "nameserver 10.77.0.53",
    ]
    card = device(machine.vm, vim.vm.device.VirtualEthernetCard)
    assert card.macAddress in machine.run("ip link show dev eth0")
    assert lab.ssh(machine.address, "sudo id -u", user="deploy").stdout.strip() == "0"
    guest = machine.vm.guest
    assert (guest.hostName, guest.toolsRunningStatus) == ("lab-a", "guestToolsRunning")
    assert [list(each.ipAddress) for each in guest.net] == [["10.77.0.41"]]


def test_a_vm_that_is_off_answers_no_more_and_keeps_its_disk(machine: Machine) -> None:
    machine.run("echo kept >/root/note")
    key = machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
    machine.power_off()
    assert not machine.answers()
    assert machine.vm.guest.ipAddress in (None, "")
    machine.power_on()
    assert machine.run("cat /root/note") == "kept"
    assert machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub") == key


def test_a_destroyed_vm_has_no_disk_any_more(lab: Lab, service: Any) -> None:
    before = disks(lab)
    with running(lab, service, "lab-b", "10.77.0.42") as machine:
        machine.run("echo secret >/root/note")
        key = machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
        finish(snapshot(machine, "kept"))
        (made,) = set(disks(lab)) - set(before)
        assert made.endswith(machine.vm._moId)
        destroy(machine.vm)
        assert disks(lab) == before
        assert not machine.answers()
    with running(lab, service, "lab-b", "10.77.0.42") as machine:
        assert machine.run("ls /root") == ""
        assert machine.run("cat /etc/ssh/ssh_host_ed25519_key.pub") != key


def test_a_vm_that_is_on_is_not_destroyed(machine: Machine) -> None:
    with pytest.raises(TaskFailed) as refused:
        finish(machine.vm.Destroy_Task())
    assert isinstance(refused.value.fault, vim.fault.InvalidPowerState)
    assert machine.answers()


def test_a_revert_brings_disk_and_configuration_back(machine: Machine) -> None:
    machine.run("echo before >/root/note; rm /etc/motd 2>/dev/null || true")
    taken = finish(snapshot(machine, "a 100%/b"))
    assert machine.vm.snapshot.rootSnapshotList[0].name == "a 100%25%2fb"
    machine.run("echo after >/root/note; touch /root/new; rm /etc/hostname")
    finish(machine.vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="after")))
    finish(taken.RevertToSnapshot_Task())
    assert machine.vm.runtime.powerState == "poweredOff"
    assert machine.vm.config.annotation != "after"
    assert not machine.answers()
    machine.power_on()
    assert machine.run("cat /root/note /etc/hostname").split() == ["before", "lab-a"]
    assert machine.run("ls /root") == "note"
    finish(taken.RemoveSnapshot_Task(removeChildren=False))
    assert machine.vm.snapshot is None
    assert machine.run("cat /root/note") == "before"


def test_a_revert_to_a_snapshot_with_memory_leaves_the_vm_on(machine: Machine) -> None:
    taken = finish(snapshot(machine, "live", memory=True))
    machine.run("touch /root/new")
    finish(taken.RevertToSnapshot_Task())
    assert machine.vm.runtime.powerState == "poweredOn"
    until(machine.answers, "the host answers again")
    assert machine.run("ls /root") == ""


def test_a_clone_is_as_asked(lab: Lab, service: Any) -> None:
    source = find(service, vim.VirtualMachine, "debian12")
    card = device(source, vim.vm.device.VirtualEthernetCard)
    portgroup = find(service, vim.dvs.DistributedVirtualPortgroup, "DC0_DVPG1")
    card.backing = vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
        port=vim.dvs.PortConnection(
            portgroupKey=portgroup.key,
            switchUuid=portgroup.config.distributedVirtualSwitch.uuid,
        )
    )
    card.macAddress = None
    config = vim.vm.ConfigSpec(
        numCPUs=4,
        memoryMB=4096,
        deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)],
        extraConfig=[vim.option.OptionValue(key="diaken.run", value="run-1")],
    )
    specification = customization("lab-c", "10.77.0.43", lab.gateway)
    vm = finish(
        start_clone(service, "lab-c", config=config, customization=specification, powerOn=True)
    )
    try:
        assert (vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == (4, 4096)
        finish(vm.ReconfigVM_Task(disk_edit(vm)))
        assert device(vm, vim.vm.device.VirtualDisk).capacityInBytes == 20 * GIBIBYTE
        assert [network.name for network in vm.network] == ["DC0_DVPG1"]
        assert extra_config(vm)["diaken.run"] == "run-1"
        assert extra_config(vm)["lab.template"] == "debian12"
        assert not vm.config.template
        for unique in ("uuid", "instanceUuid"):
            assert getattr(vm.config, unique) != getattr(source.config, unique)
        own = device(vm, vim.vm.device.VirtualEthernetCard).macAddress
        assert re.fullmatch(r"00:50:56:[0-9a-f:]{8}", own)
        assert own != device(source, vim.vm.device.VirtualEthernetCard).macAddress
        until(lambda: vm.guest.ipAddress == "10.77.0.43", "the address is reported")
        assert lab.ssh("10.77.0.43", "hostname").stdout.strip() == "lab-c"
        unchanged = device(source, vim.vm.device.VirtualDisk)
        assert unchanged.capacityInBytes == 10 * GIBIBYTE
    finally:
        destroy(vm)


def disk_edit(vm: Any) -> Any:
    """What makes this VM's disk larger, with its backing file as vCenter has it."""
    disk = device(vm, vim.vm.device.VirtualDisk)
    disk.capacityInBytes, disk.capacityInKB = 20 * GIBIBYTE, 20 * GIBIBYTE // 1024
    edit = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
    return vim.vm.ConfigSpec(deviceChange=[edit])


def test_an_edit_is_taken_literally_with_the_file_that_it_names(service: Any) -> None:
    source = finish(start_clone(service, "lab-g"))
    with ExitStack() as stack:
        stack.callback(destroy, source)
        copied = finish(start_clone(service, "lab-h", "lab-g", config=disk_edit(source)))
        disk = vim.vm.device.VirtualDisk
        assert device(copied, disk).backing.fileName == device(source, disk).backing.fileName
        destroy(copied)
        for task in (start_clone(service, "lab-i", "lab-g"), source.PowerOnVM_Task()):
            with pytest.raises(TaskFailed) as refused:
                finish(task)
            assert isinstance(refused.value.fault, vim.fault.FileNotFound)


def test_a_copy_of_a_clone_has_its_disk_and_its_extra_config(machine: Machine) -> None:
    marks = [vim.option.OptionValue(key="diaken.run", value="run-1")]
    finish(machine.vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=marks)))
    machine.run("echo ours >/root/note")
    service = vim.ServiceInstance("ServiceInstance", machine.vm._stub)
    with ExitStack() as stack:
        specification = customization("lab-d", "10.77.0.44", machine.lab.gateway)
        copied = finish(start_clone(service, "lab-d", "lab-a", customization=specification))
        stack.callback(destroy, copied)
        assert extra_config(copied)["diaken.run"] == "run-1"
        copy = Machine(machine.lab, copied, "10.77.0.44")
        copy.power_on()
        assert copy.run("cat /root/note; hostname").split() == ["ours", "lab-d"]
        copy.run("echo theirs >/root/note")
        assert machine.run("cat /root/note") == "ours"


def test_an_empty_value_takes_a_key_of_extra_config_away(machine: Machine) -> None:
    def put(value: str) -> None:
        marks = [vim.option.OptionValue(key="diaken.run", value=value)]
        finish(machine.vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=marks)))

    put("run-1")
    put("run-2")
    assert extra_config(machine.vm)["diaken.run"] == "run-2"
    put("")
    assert "diaken.run" not in extra_config(machine.vm)
    assert extra_config(machine.vm)["lab.template"] == "debian12"


def test_a_clone_that_vcenter_would_refuse_leaves_nothing(lab: Lab, service: Any) -> None:
    before = disks(lab)
    too_few = customization("lab-e", "10.77.0.45", lab.gateway)
    too_few.nicSettingMap = []
    tasks = {
        vim.fault.DuplicateName: start_clone(service, "debian12-big"),
        vim.fault.NicSettingMismatch: start_clone(service, "lab-e", customization=too_few),
    }
    for expected, task in tasks.items():
        with pytest.raises(TaskFailed) as refused:
            finish(task)
        assert isinstance(refused.value.fault, expected)
    assert disks(lab) == before


def test_a_vm_without_a_static_address_gets_none(lab: Lab, service: Any) -> None:
    vm = finish(start_clone(service, "lab-f", powerOn=True))
    try:
        assert vm.runtime.powerState == "poweredOn"
        assert lab.sh("lab-f", "hostname").stdout.strip() == "clone-template"
        assert lab.sh("lab-f", "ip", "-4", "address", "show", "dev", "eth0").stdout == ""
        assert vm.guest.ipAddress in (None, "")
        assert vm.guest.toolsRunningStatus != "guestToolsRunning"
    finally:
        destroy(vm)


def test_apt_installs_and_upgrades_offline(machine: Machine) -> None:
    assert machine.run("lab-tools") == "lab-tools 1.0"
    machine.run("apt-get -qq update && apt-get -qq -y upgrade && apt-get -qq -y install lab-extra")
    assert machine.run("lab-tools; lab-extra").splitlines() == ["lab-tools 1.1", "lab-extra 1.0"]
