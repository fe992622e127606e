"""The checks of a deploy that need vCenter, the network or Ansible."""

from collections.abc import Callable, Sequence

from diaken_cli.actions.deploy.deploy import playbook_variables
from diaken_cli.actions.playbook import refusal
from diaken_cli.config import Config
from diaken_cli.errors import DiakenError, Mistake, NotFound
from diaken_cli.requests import DeployRequest
from diaken_cli.services.ansible import catalog, remote
from diaken_cli.services.vsphere.placement import Placement, resolve_placement
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import by_address, find_vms
from diaken_cli.store import Store
from diaken_cli.types import RunOptions

PROBE_SECONDS = 2.0


def placement_and_mistakes(
    request: DeployRequest,
    vcenter: Session,
    *,
    others: Sequence[str],
    connect: Callable[[str], Session],
    store: Store,
    config: Config,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Placement | None, list[Mistake]]:
    """Where the VM goes, and all the mistakes: also in the use of its address, and in playbooks.

    `others` are the names of the other vCenters; one that can't be asked is a warning.
    """
    resolved = resolve_placement(vcenter, request)
    placement, mistakes = (
        (resolved, []) if isinstance(resolved, Placement) else (None, list(resolved))
    )
    mistakes += _not_startable(request, store, config, should_stop)
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
            mistakes += _probe_address(request.ip, request.port or config.ssh.port)
    return placement, mistakes


def _not_startable(
    request: DeployRequest, store: Store, config: Config, should_stop: Callable[[], bool]
) -> list[Mistake]:
    """A mistake for each playbook that Ansible would not start; one that is not there is another's.

    Found after the clone, it would cost the whole deploy.
    """
    mistakes = []
    variables = playbook_variables(request)
    for name in dict.fromkeys(request.playbooks):
        try:
            catalog.find(name, config.playbooks.paths)
        except NotFound:
            continue
        options = RunOptions(vault_ids=request.vault_ids)
        if refused := refusal(name, (), options, store, config, should_stop, variables):
            mistakes.append(Mistake("--playbook", name, refused.message, kind="ansible"))
    return mistakes


def _used_by_vm(ip: str, name: str, session: Session) -> list[Mistake]:
    return [
        Mistake("--ip", ip, f"is the address of the VM {vm.name} in vCenter {name}", kind="in_use")
        for vm in by_address(find_vms(session), ip)
    ]


def _probe_address(ip: str, port: int) -> list[Mistake]:
    how = remote.probe(ip, port, PROBE_SECONDS)
    if how is None:
        return []
    message = f"something answers {how} there; if that is meant to be so: --no-address-probe"
    return [Mistake("--ip", ip, message, kind="in_use")]
