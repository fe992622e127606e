"""Which VM is this run's: the rule of what may be touched, and destroyed.

Clones inherit `extraConfig`, so a copy that somebody made bears the identity too. A VM is the
run's own only when the identity matches and its instance UUID is the one that the clone returned;
or, where diaken died before it knew that, when it is the only VM with that identity, bears the
requested name and is younger than the run.
"""

from collections.abc import Sequence
from datetime import datetime

from diaken_cli.errors import Conflict
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.words import Identity

AMBIGUOUS = "ambiguous_vm"
"""The code of the error that says that the rule does not single one VM out."""


def choose(
    vms: Sequence[VirtualMachine],
    *,
    identity: Identity,
    name: str,
    vm_uuid: str | None,
    run_began: datetime | None,
) -> VirtualMachine | None:
    """The run's own VM among all of its vCenter, or None where there is none.

    `vm_uuid` is what the clone returned, `run_began` the vCenter's clock at the begin of the run.
    Raises Conflict, naming every VM in question, where the rule does not single one out.
    """
    if vm_uuid is not None:
        return _by_uuid(vms, identity, vm_uuid)
    bearers = [vm for vm in vms if vm.identity == identity]
    if not bearers:
        return None
    if len(bearers) > 1:
        raise _untouched("several VMs bear the identity of this run", bearers)
    vm = bearers[0]
    if vm.name != name:
        raise _untouched(f"a VM with the identity of this run is not named {name}", bearers)
    if vm.created_at is None or run_began is None or vm.created_at < run_began:
        raise _untouched("a VM with the identity of this run is not younger than it", bearers)
    return vm


def _by_uuid(
    vms: Sequence[VirtualMachine], identity: Identity, vm_uuid: str
) -> VirtualMachine | None:
    for vm in vms:
        if vm.instance_uuid.casefold() == vm_uuid.casefold():
            if vm.identity != identity:
                raise _untouched("the VM does not bear the identity of this run any more", [vm])
            return vm
    return None


def _untouched(what: str, vms: Sequence[VirtualMachine]) -> Conflict:
    named = ", ".join(f"{vm.name} ({vm.ref}, instance UUID {vm.instance_uuid})" for vm in vms)
    return Conflict(
        f"{what}: {named}; none was touched",
        code=AMBIGUOUS,
        hint="Look at them in vCenter; what is not needed has to be removed there by hand.",
    )
