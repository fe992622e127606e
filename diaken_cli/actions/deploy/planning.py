"""The plan of a deploy: its steps, and everything that was chosen, also what nobody typed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from diaken_cli.actions.deploy import check, reuse
from diaken_cli.actions.deploy.request import Draft
from diaken_cli.actions.deploy.steps import STEPS
from diaken_cli.actions.deploy.steps.provision import playbooks
from diaken_cli.config import SshConfig
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError, InvalidInput, Unreachable
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.placement import Placement

REUSED = "the host and its VM are there, as asked"


@dataclass(frozen=True)
class Plan:
    """Each step with what it would do; nothing is `chosen` where the VM is there already.

    `chosen` is the request with everything that was chosen for it filled in, also what nobody
    typed: places as their options take them, by inventory path where several can have a name, and
    the playbook that provisions. `esxi_host` is where vCenter registers the VM; DRS may place it
    elsewhere at power-on. The `brief_steps` leave out what `chosen` says.
    """

    steps: tuple[tuple[str, str], ...]
    brief_steps: tuple[tuple[str, str], ...]
    chosen: DeployRequest | None = None
    esxi_host: str | None = None


def plan(draft: Draft, context: Context, warn: Callable[[str], None]) -> Plan:
    """Check everything and change nothing: the steps, and what they would do.

    Raises InvalidInput with all the mistakes, or what connecting to the vCenter raises.
    """
    request, placement = checked(draft, context, warn)
    if draft.existing is not None:
        with context.connect(request.vcenter) as vcenter:
            reuse.check_vm(request, draft.existing, vcenter)
        reused = ((STEPS[0].name, REUSED),)
        return Plan(reused, reused)
    if placement is None:
        raise InvalidInput([])
    placed = replace(request, **_places(placement))
    unplaced: dict[str, Any] = dict.fromkeys(_places(placement))
    return Plan(
        _steps(placed),
        _steps(replace(request, **unplaced)),
        chosen(placed, placement, context.config.ssh),
        placement.esxi_host_name,
    )


def checked(
    draft: Draft, context: Context, warn: Callable[[str], None]
) -> tuple[DeployRequest, Placement | None]:
    """The request, when nothing at all is wrong with it, and where its VM goes.

    There is no placement where the VM is there already.
    """
    mistakes = list(draft.mistakes)
    request, placement = draft.request, None
    if request is not None and draft.existing is None:
        names = [vcenter.name for vcenter in context.store.inventory.vcenters()]
        try:
            with context.connect(request.vcenter) as vcenter:
                placement, placement_mistakes = check.placement_and_mistakes(
                    request,
                    vcenter,
                    others=[name for name in names if name != request.vcenter],
                    connect=context.connect,
                    store=context.store,
                    config=context.config,
                    warn=warn,
                )
            mistakes += placement_mistakes
        except DiakenError as error:
            if not mistakes and isinstance(error, Unreachable):
                raise error.within(f"vCenter {request.vcenter}") from error
            if not mistakes:
                raise
    if mistakes or request is None:
        raise InvalidInput(mistakes)
    return request, placement


def chosen(placed: DeployRequest, placement: Placement, ssh: SshConfig) -> DeployRequest:
    """The request with its placement and all defaults filled in; `ssh` has the default settings."""
    return replace(
        placed,
        domain=placed.guest_domain,
        template=placement.template_path,
        user=placed.user or ssh.user,
        port=placed.port or ssh.port,
        playbooks=tuple(playbooks(placed)),
    )


def _steps(request: DeployRequest) -> tuple[tuple[str, str], ...]:
    return tuple((step.name, step.describe(request)) for step in STEPS)


def _places(placement: Placement) -> dict[str, Any]:
    """What is chosen for the hardware and the place of a VM, by the fields of a request."""
    return {
        "datacenter": placement.datacenter,
        "cluster": placement.cluster_name,
        "resource_pool": placement.pool_path,
        "datastore": placement.datastore_name,
        "folder": placement.folder_path,
        "network": placement.network_name or placement.template_network,
        "cpus": placement.cpus,
        "memory": placement.memory,
        "disk": placement.disk,
    }
