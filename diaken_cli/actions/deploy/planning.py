"""The plan of a deploy: its steps, and everything that was chosen, also what nobody typed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from diaken_cli.actions.deploy import check, reuse
from diaken_cli.actions.deploy.request import Draft
from diaken_cli.actions.deploy.steps import STEPS
from diaken_cli.actions.deploy.steps.provision import playbooks
from diaken_cli.actions.outside import Outside
from diaken_cli.errors import DiakenError, InvalidInput, Unreachable
from diaken_cli.services.vsphere.placement import Placement
from diaken_cli.words import DeployRequest

REUSED = "the host and its VM are there, as asked"


@dataclass(frozen=True)
class Chosen:
    """What a deploy makes, with the defaults filled in; `memory` and `disk` are bytes.

    Places are named as their options take them: by inventory path where several can have a name.
    `esxi_host` is where vCenter registers the VM; DRS may place it elsewhere at power-on.
    """

    name: str
    ip: str
    prefix: int
    gateway: str | None
    dns: tuple[str, ...]
    domain: str | None
    environment: str
    group: str | None
    vcenter: str
    template: str
    datacenter: str
    cluster: str
    resource_pool: str
    esxi_host: str
    datastore: str
    folder: str
    network: str | None
    cpus: int
    memory: int
    disk: int
    extra_config: dict[str, str]
    user: str | None
    port: int
    playbooks: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Each step with what it would do; nothing is `chosen` where the VM is there already.

    The `brief_steps` leave out what `chosen` says.
    """

    steps: tuple[tuple[str, str], ...]
    brief_steps: tuple[tuple[str, str], ...]
    chosen: Chosen | None = None


def plan(draft: Draft, outside: Outside, warn: Callable[[str], None]) -> Plan:
    """Check everything and change nothing: the steps, and what they would do.

    Raises InvalidInput with all the mistakes, or what connecting to the vCenter raises.
    """
    request, placement = checked(draft, outside, warn)
    if draft.existing is not None:
        with outside.connect(request.vcenter) as vcenter:
            reuse.check_vm(request, draft.existing, vcenter)
        reused = ((STEPS[0].name, REUSED),)
        return Plan(reused, reused)
    if placement is None:
        raise InvalidInput([])
    ssh = outside.config.ssh
    placed = _placed(request, placement)
    return Plan(
        _steps(placed),
        _steps(_unplaced(request)),
        chosen(placed, placement, user=ssh.user, port=ssh.port),
    )


def checked(
    draft: Draft, outside: Outside, warn: Callable[[str], None]
) -> tuple[DeployRequest, Placement | None]:
    """The request, when nothing at all is wrong with it, and where its VM goes.

    There is no placement where the VM is there already.
    """
    mistakes = list(draft.mistakes)
    request, placement = draft.request, None
    if request is not None and draft.existing is None:
        names = [each.name for each in outside.store.inventory.vcenters()]
        try:
            with outside.connect(request.vcenter) as vcenter:
                placement, found = check.placement_and_mistakes(
                    request,
                    vcenter,
                    others=[name for name in names if name != request.vcenter],
                    connect=outside.connect,
                    store=outside.store,
                    config=outside.config,
                    warn=warn,
                )
            mistakes += found
        except DiakenError as error:
            if not mistakes and isinstance(error, Unreachable):
                raise error.within(f"vCenter {request.vcenter}") from error
            if not mistakes:
                raise
    if mistakes or request is None:
        raise InvalidInput(mistakes)
    return request, placement


def chosen(request: DeployRequest, placement: Placement, *, user: str | None, port: int) -> Chosen:
    """What a request and its placement come to; `user` and `port` are the usual ones for SSH."""
    return Chosen(
        name=request.name,
        ip=request.ip,
        prefix=request.prefix,
        gateway=request.gateway,
        dns=request.dns,
        domain=request.guest_domain,
        environment=request.environment,
        group=request.group,
        vcenter=request.vcenter,
        template=placement.template_path,
        datacenter=placement.datacenter,
        cluster=placement.cluster_name,
        resource_pool=placement.pool_path,
        esxi_host=placement.esxi_host_name,
        datastore=placement.datastore_name,
        folder=placement.folder_path,
        network=placement.network_name or placement.template_network,
        cpus=placement.cpus,
        memory=placement.memory,
        disk=placement.disk,
        extra_config=request.extra_config,
        user=request.user or user,
        port=request.port or port,
        playbooks=tuple(playbooks(request)),
    )


def _steps(request: DeployRequest) -> tuple[tuple[str, str], ...]:
    return tuple((step.name, step.says(request)) for step in STEPS)


def _placed(request: DeployRequest, placement: Placement) -> DeployRequest:
    """The request as if all that was chosen for it had been asked for: the steps tell it then."""
    return replace(
        request,
        datacenter=placement.datacenter,
        cluster=placement.cluster_name,
        resource_pool=placement.pool_path,
        datastore=placement.datastore_name,
        folder=placement.folder_path,
        network=placement.network_name or placement.template_network,
        cpus=placement.cpus,
        memory=placement.memory,
        disk=placement.disk,
    )


def _unplaced(request: DeployRequest) -> DeployRequest:
    """The request without what is chosen for its hardware and its place."""
    return replace(
        request,
        datacenter=None,
        cluster=None,
        resource_pool=None,
        datastore=None,
        folder=None,
        network=None,
        cpus=None,
        memory=None,
        disk=None,
    )
