"""The checks of a deploy that need vCenter, the network or Ansible; the step `validate`."""

from collections.abc import Callable
from dataclasses import asdict

from diaken_cli.actions.deploy.deploy import Deploy, playbook_variables
from diaken_cli.actions.deploy.request import Draft
from diaken_cli.actions.playbook import start_error
from diaken_cli.actions.vcenters import datacenter_error
from diaken_cli.context import Context
from diaken_cli.errors import (
    Conflict,
    DiakenError,
    InvalidInput,
    Mistake,
    NotFound,
    SecretError,
    VSphereError,
)
from diaken_cli.outcome import StepEnd
from diaken_cli.requests import DeployRequest, RunOptions
from diaken_cli.runs.steps import Facts, Step, refusing
from diaken_cli.services.ansible import catalog, remote
from diaken_cli.services.vsphere.matching import NO_DATACENTER
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import Placement, read_hardware
from diaken_cli.services.vsphere.vms import by_address, by_uuid, find_vms
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.types import DeployStep
from diaken_cli.units import format_cpus, format_size

PROBE_SECONDS = 2.0


def check_draft(
    draft: Draft, context: Context, warn: Callable[[str], None]
) -> tuple[DeployRequest, Placement | None]:
    """The request, when nothing at all is wrong with it, and where its VM goes.

    There is no placement where the VM is there already. Raises InvalidInput with all the mistakes,
    or what connecting to the vCenter raises.
    """
    mistakes = list(draft.mistakes)
    request, placement = draft.request, None
    if request is not None and draft.existing is None:
        try:
            with context.connect(request.vcenter) as vcenter:
                placement, placement_mistakes = _placement_and_mistakes(
                    request, vcenter, context, warn
                )
            mistakes += [m for m in placement_mistakes if not draft.repeats_namesake(m)]
        except (VSphereError, SecretError) as error:
            if not mistakes:
                raise _located(error, request.vcenter) from error
        except DiakenError:
            if not mistakes:
                raise
    if mistakes or request is None:
        raise InvalidInput(mistakes, hint=draft.hint)
    return request, placement


def _located(error: DiakenError, vcenter: str) -> DiakenError:
    """The same error with its vCenter, which is named where its datacenter is not there."""
    return error if error.code == NO_DATACENTER else error.within(f"vCenter {vcenter}")


def _validate(deploy: Deploy) -> StepEnd:
    with refusing(deploy.run):
        facts = _check_everything(deploy)
    deploy.facts[DeployStep.VALIDATE] = facts
    return StepEnd(facts=facts)


def _check_everything(deploy: Deploy) -> Facts:
    vcenter = deploy.vcenter
    try:
        with deploy.run.stop.interruptible():
            began = vcenter.now()
            placement, mistakes = _placement_and_mistakes(
                deploy.request, vcenter, deploy.context, deploy.run.warn, deploy.should_stop
            )
    except VSphereError as error:
        raise _located(error, deploy.request.vcenter) from error
    deploy.run.stop.check()
    if mistakes or placement is None:
        raise InvalidInput(list(mistakes))
    return {"placement": asdict(placement), "vcenter_time": began.isoformat()}


VALIDATE = Step[Deploy, DeployRequest](
    name=DeployStep.VALIDATE,
    describe=lambda r: f"check {r.name}, {r.ip} and vCenter {r.vcenter}",
    do=_validate,
)


def _placement_and_mistakes(
    request: DeployRequest,
    vcenter: Session,
    context: Context,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Placement | None, list[Mistake]]:
    """Where the VM goes, and all the mistakes: also in the use of its address, and in playbooks.

    A vCenter of the inventory that can't be asked for the address is a warning.
    """
    resolved = _resolve(request, vcenter, context.store)
    placement, mistakes = (
        (resolved, []) if isinstance(resolved, Placement) else (None, list(resolved))
    )
    mistakes += _not_startable(request, context, should_stop)
    if request.ip and request.gateway is None:
        warn(f"no gateway (--gateway): {request.name} will reach only its own network")
    if request.ip:
        mistakes += _used_by_vm(request.ip, request.vcenter, vcenter)
        for name in _other_vcenters(request, context.store):
            try:
                with context.connect(name) as session:
                    mistakes += _used_by_vm(request.ip, name, session)
            except DiakenError as error:
                warn(f"can't check vCenter {name} for VMs with {request.ip}: {error.brief}")
        if request.address_probe and not mistakes:
            mistakes += _probe_address(request.ip, request.port or context.config.ssh.port)
    return placement, mistakes


def _resolve(
    request: DeployRequest, vcenter: Session, store: Store
) -> Placement | tuple[Mistake, ...]:
    record = store.inventory.vcenter(request.vcenter)
    try:
        return resolve_placement(vcenter, request, record.datacenter if record else None)
    except NotFound as missing:
        if record is None:
            raise
        raise datacenter_error(record, None, missing) from missing


def _other_vcenters(request: DeployRequest, store: Store) -> list[str]:
    names = [vcenter.name for vcenter in store.inventory.vcenters()]
    return [name for name in names if name != request.vcenter]


def _not_startable(
    request: DeployRequest, context: Context, should_stop: Callable[[], bool]
) -> list[Mistake]:
    """A mistake for each playbook that Ansible would not start; missing ones are found elsewhere.

    Found after the clone, it would cost the whole deploy.
    """
    mistakes = []
    variables = playbook_variables(request)
    for name in dict.fromkeys(request.playbooks):
        try:
            catalog.find(name, context.config.playbooks.paths)
        except NotFound:
            continue
        options = RunOptions(vault_ids=request.vault_ids)
        refused = start_error(
            name, (), options, context.store, context.config, should_stop, variables
        )
        if refused:
            mistakes.append(Mistake("--playbook", name, refused.message, kind="ansible"))
    return mistakes


def _used_by_vm(ip: str, name: str, session: Session) -> list[Mistake]:
    return [
        Mistake("--ip", ip, f"is in use by the VM {vm.name} in vCenter {name}", kind="in_use")
        for vm in by_address(find_vms(session), ip)
    ]


def _probe_address(ip: str, port: int) -> list[Mistake]:
    how = remote.probe(ip, port, PROBE_SECONDS)
    if how is None:
        return []
    message = f"in use: something answers {how}; to ignore that: --no-address-probe"
    return [Mistake("--ip", ip, message, kind="in_use")]


def check_existing_vm(request: DeployRequest, host: HostRecord, vcenter: Session) -> None:
    """See that the host's VM is there, powered on, and has the hardware that was requested.

    That is for `--reuse-existing`. Raises Conflict where there is no such VM, InvalidInput with
    every difference.
    """
    vm = by_uuid(find_vms(vcenter), host.vm_uuid) if host.vm_uuid else None
    if vm is None:
        raise Conflict(
            f"host {host.name} exists, but vCenter {request.vcenter} has no VM with its UUID",
            code="gone",
            hint=f"See: diaken hosts show {host.name}",
        )
    mistakes = []
    if vm.power_state != "on":
        mistakes.append(
            Mistake("NAME", host.name, f"its VM is {vm.power_state}, not on", kind="in_use")
        )
    elif vm.addresses and request.ip not in vm.addresses:
        message = f"its VM reports {', '.join(vm.addresses)}, not {request.ip}"
        mistakes.append(Mistake("--ip", request.ip, message, kind="in_use"))
    hardware = read_hardware(vcenter, [vm.ref]).get(vm.ref)
    if hardware is not None:
        if request.cpus not in (None, hardware.cpus):
            message = f"its VM has {format_cpus(hardware.cpus)}, not {request.cpus}"
            mistakes.append(Mistake("--cpus", str(request.cpus), message, kind="in_use"))
        if request.memory not in (None, hardware.memory):
            requested = format_size(request.memory or 0)
            message = f"its VM has {format_size(hardware.memory)}, not {requested}"
            mistakes.append(Mistake("--memory", requested, message, kind="in_use"))
        if request.disk is not None and request.disk not in hardware.disks[:1]:
            requested = format_size(request.disk)
            actual_disk = ", ".join(map(format_size, hardware.disks[:1])) or "no disk"
            mistakes.append(
                Mistake(
                    "--disk", requested, f"its VM has {actual_disk}, not {requested}", kind="in_use"
                )
            )
    if mistakes:
        raise InvalidInput(mistakes)
