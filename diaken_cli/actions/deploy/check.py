"""Everything that can be wrong with a deploy and that only the outside can tell."""

from collections.abc import Callable, Sequence

from diaken_cli.errors import DiakenError, Mistake
from diaken_cli.services.ansible import reach
from diaken_cli.services.vsphere.placement import Placement, resolve_placement
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import by_address, find_vms
from diaken_cli.words import DeployRequest

PROBE_SECONDS = 2.0


def placement_and_addresses(
    request: DeployRequest,
    vcenter: Session,
    *,
    others: Sequence[str],
    connect: Callable[[str], Session],
    ssh_port: int,
    warn: Callable[[str], None],
) -> tuple[Placement | None, list[Mistake]]:
    """Where the VM goes, and all the mistakes, those in the use of its address included.

    `others` are the names of the other vCenters; one that can't be asked is a warning.
    """
    found = resolve_placement(vcenter, request)
    placement, mistakes = (found, []) if isinstance(found, Placement) else (None, list(found))
    if request.ip and request.gateway is None:
        warn(f"no gateway: {request.name} will reach its own network only (--gateway)")
    if request.ip:
        mistakes += _used_by_vm(request.ip, request.vcenter, vcenter)
        for name in others:
            try:
                with connect(name) as session:
                    mistakes += _used_by_vm(request.ip, name, session)
            except DiakenError as error:
                warn(f"whether a VM of vCenter {name} has {request.ip} is unknown: {error.message}")
        if request.address_probe and not mistakes:
            mistakes += _answers(request.ip, request.port or ssh_port)
    return placement, mistakes


def _used_by_vm(ip: str, name: str, session: Session) -> list[Mistake]:
    return [
        Mistake("--ip", ip, f"is the address of the VM {vm.name} in vCenter {name}", in_use=True)
        for vm in by_address(find_vms(session), ip)
    ]


def _answers(ip: str, port: int) -> list[Mistake]:
    how = reach.answers(ip, port, PROBE_SECONDS)
    if how is None:
        return []
    said = f"something answers {how} there; if that is meant to be so: --no-address-probe"
    return [Mistake("--ip", ip, said, in_use=True)]
