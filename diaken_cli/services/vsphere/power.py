"""Power a VM on and off, destroy it, take its identity off. Each gives a vSphere task's reference.

What may be destroyed is for the caller to decide: nothing here asks twice.
"""

from typing import Any

from pyVmomi import vim

from diaken_cli.services.vsphere.properties import reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import read_vm
from diaken_cli.types import Identity


def state(session: Session, vm_ref: str) -> str:
    """on, off or suspended. Raises VSphereError (`gone`)."""
    return read_vm(session, vm_ref).power_state


def power_on(session: Session, vm_ref: str) -> str:
    """PowerOnVM_Task: in a DRS cluster vCenter also chooses the ESXi host."""
    return reference(_vm(session, vm_ref).PowerOnVM_Task())


def power_off(session: Session, vm_ref: str) -> str:
    """PowerOffVM_Task: pulls the plug, whatever the guest is doing."""
    return reference(_vm(session, vm_ref).PowerOffVM_Task())


def destroy(session: Session, vm_ref: str) -> str:
    """Destroy_Task: removes a powered-off VM and its disks, for good."""
    return reference(_vm(session, vm_ref).Destroy_Task())


def remove_identity(session: Session, vm_ref: str) -> str:
    """ReconfigVM_Task that takes the identity out of `extraConfig`; may be repeated."""
    # An empty value removes the key (ConfigSpec.extraConfig in the API).
    marks = Identity("", "").as_extra_config()
    spec = vim.vm.ConfigSpec(
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in marks.items()]
    )
    return reference(_vm(session, vm_ref).ReconfigVM_Task(spec))


def _vm(session: Session, vm_ref: str) -> Any:
    return session.managed(vim.VirtualMachine, vm_ref)
