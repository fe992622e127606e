"""What somebody else does to the VM of a deploy, in vCenter."""

from typing import Any

from pyVim.task import WaitForTask
from pyVmomi import vim

from tests.e2e.deploying import NAME, Deploying

PASSING = "debian12-passing"


def destroys_it(deploying: Deploying) -> None:
    """The VM is powered off where it is on, and destroyed."""
    powers_it_off(deploying)
    deploying.destroy(NAME)


def renames_it(deploying: Deploying) -> None:
    """The VM gets another name."""
    deploying.to_vm(NAME, lambda vm: vm.Rename_Task("renamed"))


def powers_it_off(deploying: Deploying) -> None:
    """The VM is powered off where it is on."""
    if deploying.machines()[NAME].on:
        deploying.to_vm(NAME, lambda vm: vm.PowerOffVM_Task())


def powers_it_on(deploying: Deploying) -> None:
    """The VM is powered on."""
    deploying.to_vm(NAME, lambda vm: vm.PowerOnVM_Task())


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
