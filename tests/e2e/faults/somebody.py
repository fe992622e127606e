"""What somebody else does to the VM of a deploy, in vCenter."""

from tests.e2e.deploying import NAME, Deploying


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
