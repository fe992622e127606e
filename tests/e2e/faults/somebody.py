"""What somebody else does to the VM of a deploy, in vCenter."""

from contextlib import suppress
from typing import Any

from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl

from tests.e2e.deploy.deploying import NAME, Deploying

PASSING = "debian12-passing"


def destroys_it(deploying: Deploying) -> None:
    """The VM is powered off where it is on, and destroyed."""
    powers_it_off(deploying)
    deploying.destroy(NAME)


def renames_it(deploying: Deploying) -> None:
    """The VM gets another name."""
    deploying.to_vm(NAME, lambda vm: vm.Rename_Task("renamed"))


def attaches_a_disk(deploying: Deploying) -> None:
    """The VM gets one more disk, of another VM say."""
    deploying.to_vm(
        NAME, lambda vm: vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[_more(vm)]))
    )


def detaches_the_disk(deploying: Deploying) -> None:
    """The last disk is taken off again, its file stays."""
    deploying.to_vm(
        NAME,
        lambda vm: vm.ReconfigVM_Task(
            vim.vm.ConfigSpec(
                deviceChange=[
                    vim.vm.device.VirtualDeviceSpec(operation="remove", device=_disks(vm)[-1])
                ]
            )
        ),
    )


OTHER = "db01/db01.vmdk"


def replaces_the_disk(deploying: Deploying) -> None:
    """Another VM's disk is in the place of the VM's own."""
    put_disk(deploying, OTHER)


def puts_its_disk_back(deploying: Deploying) -> None:
    """The disk that the clone made is there again."""
    (facts,) = (facts for name, _, facts in deploying.step_rows() if name == "clone")
    (own,) = facts["disk_files"]
    put_disk(deploying, own.partition("] ")[2])


def put_disk(deploying: Deploying, file: str) -> None:
    """The VM's first disk is that file from now on."""

    def edit(vm: Any) -> Any:
        disk = _disks(vm)[0]
        backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
            fileName=f"[{vm.datastore[0].name}] {file}",
            datastore=vm.datastore[0],
            diskMode="persistent",
        )
        disk.backing = backing
        change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
        return vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change]))

    deploying.to_vm(NAME, edit)


def _more(vm: Any) -> Any:
    first = _disks(vm)[0]
    disk = vim.vm.device.VirtualDisk(
        key=-1,
        controllerKey=first.controllerKey,
        unitNumber=5,
        capacityInKB=1024 * 1024,
        backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
            fileName=f"[{vm.datastore[0].name}] {NAME}/data.vmdk",
            diskMode="persistent",
            thinProvisioned=True,
        ),
    )
    return vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)


def _disks(vm: Any) -> list[Any]:
    return [
        each for each in vm.config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk)
    ]


def powers_it_off(deploying: Deploying) -> None:
    """The VM is powered off where it is on."""
    if deploying.machines()[NAME].on:
        deploying.to_vm(NAME, lambda vm: vm.PowerOffVM_Task())


def powers_it_on(deploying: Deploying) -> None:
    """The VM is powered on."""
    deploying.to_vm(NAME, lambda vm: vm.PowerOnVM_Task())


def cancels_what_goes_on(deploying: Deploying) -> None:
    """Every vSphere task that runs is canceled."""
    with deploying.lab.connect() as service:
        for task in service.content.taskManager.recentTask:
            if task.info.state in ("queued", "running"):
                task.CancelTask()
                with suppress(vmodl.fault.RequestCanceled):
                    WaitForTask(task)


def passing_template(deploying: Deploying) -> None:
    """There is one more template."""
    deploying.clone_by_hand("debian12", PASSING)
    with deploying.lab.connect() as service:
        _named(service, PASSING).MarkAsTemplate()


def removes_the_template(deploying: Deploying) -> None:
    """That template is destroyed."""
    with deploying.lab.connect() as service:
        template = _named(service, PASSING)
        template.MarkAsVirtualMachine(pool=template.runtime.host.parent.resourcePool)
        WaitForTask(template.Destroy_Task())


def _named(service: Any, name: str) -> Any:
    content = service.content
    view = content.viewManager.CreateContainerView(
        container=content.rootFolder, type=[vim.VirtualMachine], recursive=True
    )
    return next(each for each in view.view if each.name == name)
