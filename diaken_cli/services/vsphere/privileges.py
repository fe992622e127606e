"""What the account may do in vCenter, before it matters."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import Mistake, VSphereError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.inventory import Entity, Network
from diaken_cli.services.vsphere.properties import read_one, reference
from diaken_cli.services.vsphere.session import Session

_TRIES = 3  # for an answer that is about the session as it is, not as it was before a new login
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

_FOR_DEPLOY = {
    "--template": (
        "VirtualMachine.Provisioning.Customize",
        "VirtualMachine.Provisioning.DeployTemplate",
    ),
    "--folder": (
        "VirtualMachine.Config.AdvancedConfig",
        "VirtualMachine.Interact.PowerOff",
        "VirtualMachine.Interact.PowerOn",
        "VirtualMachine.Inventory.CreateFromExisting",
        "VirtualMachine.Inventory.Delete",
    ),
    "--resource-pool": ("Resource.AssignVMToPool",),
    "--datastore": ("Datastore.AllocateSpace",),
    "--network": ("Network.Assign",),
}
_ENTITIES: dict[str, Any] = {
    "--template": vim.VirtualMachine,
    "--folder": vim.Folder,
    "--resource-pool": vim.ResourcePool,
    "--datastore": vim.Datastore,
    "--network": vim.Network,
}
"""What a deploy does with a place, by the option that names it
(https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html)."""


def missing_privileges(
    session: Session,
    needed: Sequence[str] = NEEDED_PRIVILEGES,
    *,
    datacenter: str | None = None,
) -> tuple[str, ...] | None:
    """Which of these the account lacks on the root folder, or on a datacenter (its reference).

    An account may have them only further down, so a missing one is a reason to look, not proof.
    None: this vCenter does not tell.
    """
    root = session.content.rootFolder
    entity = session.managed(vim.Datacenter, datacenter) if datacenter else root
    answers = _granted_privileges(session, [entity], needed)
    granted = answers.get(reference(entity))
    if granted is None:
        return None
    return tuple(privilege for privilege in needed if privilege not in granted)


def lacking_for_deploy(
    session: Session, request: DeployRequest, places: Mapping[str, Entity]
) -> tuple[Mistake, ...]:
    """What the account may not do with the places of a deploy, by the options that name them.

    Nothing, where vCenter does not tell: then the deploy shows it.
    """
    entities = {option: _managed(session, option, place) for option, place in places.items()}
    needed = {option: _needed_for_deploy(option, request) for option in places}
    answers = _granted_privileges(
        session, list(entities.values()), sorted({*chain(*needed.values())})
    )
    mistakes = []
    for option, entity in entities.items():
        granted = answers.get(reference(entity), needed[option])
        lacking = ", ".join(privilege for privilege in needed[option] if privilege not in granted)
        if lacking:
            user, place = session.endpoint.username, places[option]
            message = f"{user} lacks {lacking} on {place.path}"
            mistakes.append(Mistake(option, place.name, message, kind="no_permission"))
    return tuple(mistakes)


def _managed(session: Session, option: str, place: Entity) -> Any:
    kind = _ENTITIES[option]
    if isinstance(place, Network) and place.kind == "distributed":
        kind = vim.dvs.DistributedVirtualPortgroup
    elif isinstance(place, Network) and place.kind == "opaque":
        kind = vim.OpaqueNetwork
    return session.managed(kind, place.ref)


def _needed_for_deploy(option: str, request: DeployRequest) -> tuple[str, ...]:
    """What each place has to allow: the new VM has the privileges of its folder."""
    if option != "--folder":
        return _FOR_DEPLOY[option]
    condition_of = {
        "VirtualMachine.Config.CPUCount": request.cpus,
        "VirtualMachine.Config.DiskExtend": request.disk,
        "VirtualMachine.Config.EditDevice": request.network,
        "VirtualMachine.Config.Memory": request.memory,
    }
    return (
        *_FOR_DEPLOY[option],
        *(privilege for privilege, value in condition_of.items() if value is not None),
    )


def _granted_privileges(
    session: Session, entities: Sequence[Any], privileges: Sequence[str]
) -> dict[str, set[str]]:
    """Which of these privileges the account has on each entity, by reference.

    Empty where this vCenter, or a proxy before it, does not tell
    (AuthorizationManager.HasPrivilegeOnEntities, API 5.5).
    """
    content = session.content
    for _ in range(_TRIES if entities else 0):
        logins = session.logins
        try:
            properties = read_one(session, content.sessionManager, ["currentSession"])
            if (current := properties.get("currentSession")) is None:
                break
            answers = content.authorizationManager.HasPrivilegeOnEntities(
                list(entities), current.key, list(privileges)
            )
        except VSphereError as refusal:
            if refusal.code in ("not_supported", "no_permission"):
                break
            raise
        if session.logins == logins:  # else the answer is about a session that has ended
            return {
                reference(answer.entity): {p.privId for p in answer.privAvailability if p.isGranted}
                for answer in answers
                if answer.privAvailability
            }
    return {}
