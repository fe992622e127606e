"""What the account may do in vCenter, before it matters."""

from collections.abc import Sequence

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.properties import read_one
from diaken_cli.services.vsphere.session import Session

NEEDED_PRIVILEGES = (
    "Datastore.AllocateSpace",
    "Network.Assign",
    "Resource.AssignVMToPool",
    "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.CPUCount",
    "VirtualMachine.Config.DiskExtend",
    "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Config.Memory",
    "VirtualMachine.Interact.PowerOff",
    "VirtualMachine.Interact.PowerOn",
    "VirtualMachine.Inventory.CreateFromExisting",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Provisioning.Customize",
    "VirtualMachine.Provisioning.DeployTemplate",
    "VirtualMachine.State.CreateSnapshot",
    "VirtualMachine.State.RemoveSnapshot",
    "VirtualMachine.State.RevertToSnapshot",
)
"""What deploy, snapshots and prune need: the privilege ids of "Defined Privileges" in the
vSphere Security guide."""


def missing_privileges(
    session: Session,
    needed: Sequence[str] = NEEDED_PRIVILEGES,
    *,
    datacenter: str | None = None,
) -> tuple[str, ...] | None:
    """Which of these the account lacks on the root folder, or on a datacenter (its reference).

    An account may have them only further down, so a missing one is a reason to look, not proof.
    None: this vCenter does not tell (AuthorizationManager.HasPrivilegeOnEntities, API 5.5).
    """
    content = session.content
    entity = session.managed(vim.Datacenter, datacenter) if datacenter else content.rootFolder
    try:
        own = read_one(session, content.sessionManager, ["currentSession"]).get("currentSession")
        if own is None:
            return None
        answers = content.authorizationManager.HasPrivilegeOnEntities(
            [entity], own.key, list(needed)
        )
    except VSphereError as refusal:
        if refusal.code == "not_supported":
            return None
        raise
    granted = {
        each.privId: each.isGranted for answer in answers for each in answer.privAvailability
    }
    return tuple(each for each in needed if not granted.get(each, False)) if granted else None
