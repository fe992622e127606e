"""What the tests of the lab do to its VMs: by pyVmomi alone, as diaken is what the lab tests."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from tests.lab_fixture import Lab
from tests.waiting import until

GIBIBYTE = 1024**3


class TaskFailed(Exception):
    """A task that ended in an error; `fault` is that error."""

    def __init__(self, fault: Any) -> None:
        super().__init__(type(fault).__name__)
        self.fault = fault


def finish(task: Any) -> Any:
    """Wait for a task and return its result; TaskFailed with what it ended in."""
    until(lambda: task.info.state in ("success", "error"), f"{task.info.descriptionId} ends")
    if task.info.state == "error":
        raise TaskFailed(task.info.error)
    return task.info.result


def find(service: Any, kind: type, name: str) -> Any:
    """Return the object of that kind and name."""
    content = service.RetrieveContent()
    view = content.viewManager.CreateContainerView(
        container=content.rootFolder, type=[kind], recursive=True
    )
    try:
        return next(entity for entity in view.view if entity.name == name)
    finally:
        view.Destroy()


def device(vm: Any, kind: type) -> Any:
    """Return the VM's only device of that kind."""
    (found,) = (each for each in vm.config.hardware.device if isinstance(each, kind))
    return found


def extra_config(vm: Any) -> dict[str, str]:
    """Return the VM's extraConfig as a dictionary."""
    return {option.key: option.value for option in vm.config.extraConfig}


def customization(name: str, address: str, gateway: str) -> Any:
    """Return what gives a clone its host name and a static address."""
    adapter = vim.vm.customization.IPSettings(
        ip=vim.vm.customization.FixedIp(ipAddress=address),
        subnetMask="255.255.255.0",
        gateway=[gateway],
    )
    return vim.vm.customization.Specification(
        identity=vim.vm.customization.LinuxPrep(
            hostName=vim.vm.customization.FixedName(name=name), domain="lab.example"
        ),
        globalIPSettings=vim.vm.customization.GlobalIPSettings(dnsServerList=["10.77.0.53"]),
        nicSettingMap=[vim.vm.customization.AdapterMapping(adapter=adapter)],
    )


def start_clone(service: Any, name: str, source: str = "debian12", **specification: Any) -> Any:
    """Ask for a clone in the folder of the datacenter; returns the task."""
    folder = service.RetrieveContent().rootFolder.childEntity[0].vmFolder
    pool = find(service, vim.ResourcePool, "Resources")
    return find(service, vim.VirtualMachine, source).CloneVM_Task(
        folder=folder,
        name=name,
        spec=vim.vm.CloneSpec(
            location=vim.vm.RelocateSpec(pool=pool),
            **{"powerOn": False, "template": False, **specification},
        ),
    )


@dataclass(frozen=True)
class Machine:
    """A VM that a test made, powered on and answering at `address` unless the test changed that."""

    lab: Lab
    vm: Any
    address: str

    def run(self, command: str) -> str:
        """Run a command on its host, by SSH; returns what that printed."""
        ran = self.lab.ssh(self.address, command)
        assert ran.returncode == 0, f"{command}: {ran.returncode} {ran.stderr}"
        return ran.stdout.strip()

    def answers(self) -> bool:
        """Whether SSH answers at its address."""
        return self.lab.ssh(self.address, "true").returncode == 0

    def power_on(self) -> None:
        """Power it on and wait until VMware Tools report its address."""
        finish(self.vm.PowerOnVM_Task())
        until(lambda: bool(self.vm.guest.ipAddress == self.address), f"{self.address} is reported")

    def power_off(self) -> None:
        """Pull its plug."""
        finish(self.vm.PowerOffVM_Task())


@contextmanager
def running(lab: Lab, service: Any, name: str, address: str) -> Iterator[Machine]:
    """Give a machine cloned from the template; it is destroyed afterwards, unless the test did."""
    specification = customization(name, address, lab.gateway)
    vm = finish(start_clone(service, name, customization=specification))
    machine = Machine(lab, vm, address)
    try:
        machine.power_on()
        yield machine
    finally:
        with suppress(vmodl.fault.ManagedObjectNotFound):
            destroy(vm)


def destroy(vm: Any) -> None:
    """Power a VM off, where it is on, and destroy it."""
    if vm.runtime.powerState != "poweredOff":
        finish(vm.PowerOffVM_Task())
    finish(vm.Destroy_Task())
