"""The steps that concern the host: register it, provision it, put it into use.

Once it is in use the deploy is a success: its identity leaves the VM, and nothing of it is undone.
"""

from pathlib import Path

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy, playbook_variables
from diaken_cli.actions.deploy.own_vm import remove_identity
from diaken_cli.actions.inventory import keep_hosts_file, write_block
from diaken_cli.context import Context
from diaken_cli.errors import (
    AccessError,
    Conflict,
    DiakenError,
    NotFound,
    OperationFailed,
    TimedOut,
)
from diaken_cli.events import Emit, RunFinished, RunStarted, StepFinished, StepStarted
from diaken_cli.outcome import NOTHING_TO_DO, StepEnd
from diaken_cli.requests import DeployRequest, RunOptions
from diaken_cli.runs.steps import Facts, Step
from diaken_cli.services import hosts_file
from diaken_cli.services.ansible import remote
from diaken_cli.services.ansible.work import Outcome
from diaken_cli.services.vsphere import vms
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.run_records import RunDetail
from diaken_cli.types import DeployStep, Identity, RunStatus, StepStatus, from_stored


def _own_host(deploy: Deploy) -> HostRecord:
    """The host of this run. Raises OperationFailed where it is gone, or another run's."""
    host = deploy.context.store.inventory.host(deploy.request.name)
    if host is None or host.deployed_by != deploy.run.id:
        raise OperationFailed(
            f"host {deploy.request.name} no longer belongs to this run", code="gone"
        )
    return host


def _write_hosts_file(deploy: Deploy) -> None:
    """Bring the hosts file in line with the inventory."""
    keep_hosts_file(deploy.context.store, deploy.hosts_file, deploy.emit_once)


# ── register ─────────────────────────────────────────────────────────────────────────────────


def _find_host(deploy: Deploy) -> Facts | None:
    host = deploy.context.store.deploys.host(deploy.run.id)
    return None if host is None else _registered(deploy, host.id)


def _register(deploy: Deploy) -> StepEnd:
    request = deploy.request
    inventory = deploy.context.store.inventory
    environment = inventory.environment(request.environment)
    groups = inventory.groups(name=request.group, environment=request.environment)
    vcenter = inventory.vcenter(request.vcenter)
    if environment is None:
        raise _removed(f"environment {request.environment}")
    if request.group and not groups:
        raise _removed(f"group {request.group} of environment {request.environment}")
    if vcenter is None:
        raise _removed(f"vCenter {request.vcenter}")
    values = HostValues(
        ip=request.ip,
        environment_id=environment.id,
        group_ids=(groups[0].id,) if request.group else (),
        vcenter_id=vcenter.id,
        active=False,
        user=request.user,
        port=request.port,
        key=request.key,
        python=request.python,
    )
    host = deploy.context.store.deploys.register(
        deploy.run.id, request.name, values, deploy.context.clock()
    )
    deploy.run.add_host(host)
    return StepEnd(facts=_registered(deploy, host.id))


def _removed(what: str) -> OperationFailed:
    return OperationFailed(
        f"{what} was removed from the inventory in the meantime",
        code="gone",
        hint="Add it again, or choose another one, then repeat the deploy.",
    )


def _registered(deploy: Deploy, host_id: int) -> Facts:
    _write_hosts_file(deploy)
    facts = {"host_id": host_id}
    deploy.facts[DeployStep.REGISTER] = facts
    return facts


def _unregister(deploy: Deploy) -> None:
    _remove_line(deploy)  # first: what has a line keeps its name and address reserved
    deploy.context.store.deploys.unregister(deploy.run.id)
    _write_hosts_file(deploy)  # for another process may have written it anew in between


def _remove_line(deploy: Deploy) -> None:
    """Remove the host's line from the hosts file. Raises OperationFailed where it may stay."""
    path = deploy.hosts_file
    if path is None:
        return
    try:
        write_block(deploy.context.store, path, given_up_by=deploy.run.id)
    except (AccessError, Conflict) as refused:
        why = _reason_it_may_stay(deploy, path, refused)
        if why is None:
            return  # nothing of it is there; that the file can't be written is told afterwards
        again = f"Then: diaken deploy abort {deploy.run.id}"
        hint = f"{refused.hint} {again}" if refused.hint else again
        raise OperationFailed(why, code=refused.code, hint=hint) from refused


def _reason_it_may_stay(deploy: Deploy, path: Path, refused: AccessError | Conflict) -> str | None:
    """Why the line stays in a hosts file that can't be written; None where it is not in there."""
    name = deploy.request.name
    try:
        has_line = hosts_file.has_entry(
            path, hosts_file.Entry(deploy.request.ip, name), deploy.context.store.id
        )
    except AccessError as unreadable:
        return f"can't tell whether the line of {name} is still in {path}: {unreadable.message}"
    return f"the line of {name} is still in {path}: {refused.message}" if has_line else None


REGISTER = Step[Deploy, DeployRequest](
    name=DeployStep.REGISTER,
    describe=lambda r: (
        f"add host {r.name} ({r.ip}) to {r.environment}" + (f", group {r.group}" if r.group else "")
    ),
    find=_find_host,
    do=_register,
    undo=_unregister,
)

# ── provision ────────────────────────────────────────────────────────────────────────────────


def _describe_provision(request: DeployRequest) -> str:
    names = request.all_playbooks
    return f"run {', '.join(names)}" if names else "nothing to run"


def _provision(deploy: Deploy) -> StepEnd:
    names = deploy.request.all_playbooks
    if not names:
        return NOTHING_TO_DO
    host = _own_host(deploy)
    failure = remote.wait_for_ssh(
        playbook.ansible_target(host, deploy.context.config.ssh),
        playbook.ssh_settings(deploy.context.store, deploy.context.config.ssh),
        timeout=deploy.request.ssh_timeout,
        should_stop=deploy.should_stop,
    )
    deploy.run.stop.check()
    if failure is not None:
        raise _not_reached(deploy.request, host, failure)
    for name in names:
        outcome = playbook.run_playbook(
            name,
            [host],
            RunOptions(vault_ids=deploy.request.vault_ids),
            context=deploy.context,
            run=deploy.run,
            variables=playbook_variables(deploy.request),
            vaults_by_label=True,
        )
        _refuse_failure(name, outcome)
    return StepEnd(facts={"playbooks": list(names)})


def _not_reached(
    request: DeployRequest, host: HostRecord, failure: remote.NotReached
) -> DiakenError:
    if failure.host_refused:
        return OperationFailed(
            f"{host.name} ({host.ip}) refuses the SSH login: {failure.message}",
            code="no_ssh",
            hint="Check that the template has the public key of --key for --user."
            " Keep the VM with --keep-on-failure.",
        )
    return TimedOut(
        f"SSH to {host.name} ({host.ip}) did not answer within {request.ssh_timeout} s:"
        f" {failure.message}",
        code="no_ssh",
        hint="Wait longer with --ssh-timeout; keep the VM with --keep-on-failure.",
    )


def _refuse_failure(name: str, outcome: Outcome) -> None:
    if outcome.return_code == 0:
        return
    result = outcome.results[0]
    why = f"{result.failed_task}: {result.message}" if result.failed_task else result.message
    raise OperationFailed(
        f"{name} failed on {result.host}: {why or outcome.reason}",
        code="provision_failed",
        headline=f"{name} failed on {result.host}: {result.failed_task or why or outcome.reason}",
    )


PROVISION = Step[Deploy, DeployRequest](
    name=DeployStep.PROVISION,
    describe=_describe_provision,
    do=_provision,
)


# ── activate ─────────────────────────────────────────────────────────────────────────────────


_LEFTOVER = ("name", "vcenter", "vm_uuid")  # the facts that say which VM it is


def _activate(deploy: Deploy) -> StepEnd:
    host = _own_host(deploy)
    # Where it dies after its success, what is left is told by these.
    deploy.note(
        DeployStep.ACTIVATE,
        **{name: deploy.known(DeployStep.CLONE).get(name) for name in _LEFTOVER},
    )
    deploy.run.activate(host.id, deploy.positions[DeployStep.ACTIVATE])
    # From here on the run is a success, and nothing of it may be undone.
    removed = False
    try:
        removed = _remove_identity(deploy)
    except DiakenError as error:  # no session, so nothing was tried
        _note_identity_left(deploy, error, "the VM still carries")
    _write_hosts_file(deploy)
    return StepEnd(facts={"unmarked": True} if removed else {})


def _remove_identity(deploy: Deploy) -> bool:
    vm, forced = deploy.known(DeployStep.CLONE)["vm"], deploy.run.stop.forced
    left = remove_identity(deploy.vcenter, vm, deploy.identity, deploy.request, forced)
    if left is not None:
        _note_identity_left(
            deploy,
            left.error,
            f"the VM {'still carries' if left.seen else 'may still carry'}",
        )
    return left is None


def _note_identity_left(deploy: Deploy, error: DiakenError, what: str) -> None:
    deploy.note(DeployStep.ACTIVATE, left_because=error.message)
    deploy.run.warn(
        f"{what} this run's identity: {error.message};"
        f" remove it with: diaken deploy resume {deploy.run.id}"
    )


ACTIVATE = Step[Deploy, DeployRequest](
    name=DeployStep.ACTIVATE,
    describe=lambda r: f"activate {r.name}",
    do=_activate,
)


def remove_left_identity(detail: RunDetail, context: Context, show: Emit) -> None:
    """Remove the identity that a deploy has left on its VM after its success.

    The run stays as it is. It may be repeated; a VM that is gone or does not bear it is left alone.
    Raises what vCenter answers.
    """
    run = detail.run
    description = f"remove this run's identity from the VM {run.target}"
    show(RunStarted(run=run.id, kind=run.kind, target=run.target, hosts=(run.target,)))
    activated = next(step for step in detail.steps if step.name == ACTIVATE.name)
    position = activated.position

    def finished(status: StepStatus, detail: str) -> StepFinished:
        return StepFinished(step=ACTIVATE.name, position=position, status=status, detail=detail)

    show(StepStarted(step=ACTIVATE.name, position=position, detail=description))
    try:
        _remove_identity_of(detail, context)
    except DiakenError as error:
        show(finished(StepStatus.FAILED, error.message))
        raise
    context.store.steps.note_facts(run.id, position, {"unmarked": True})
    show(finished(StepStatus.SUCCESS, description))
    show(RunFinished(run=run.id, status=RunStatus.SUCCESS))


def _remove_identity_of(detail: RunDetail, context: Context) -> None:
    request = from_stored(DeployRequest, detail.run.request)
    identity = Identity(database=context.store.id, run=detail.run.uid)
    made = next(step.facts for step in detail.steps if "vm_uuid" in step.facts)
    try:
        session = context.connect(request.vcenter)
    except NotFound as removed:
        raise NotFound(
            f"vCenter {request.vcenter} was removed from the inventory; its VM {request.name} may"
            f" still carry the identity of run {detail.run.id}",
            hint=f"Add it again: diaken vcenters add {request.vcenter} …"
            f" Then: diaken deploy resume {detail.run.id}",
        ) from removed
    with session as vcenter:
        all_vms = vms.find_vms(vcenter, extra_config=True)
        vm = vms.by_uuid(all_vms, made["vm_uuid"])
        if vm is None:
            ownership.refuse_unreadable(
                candidate for candidate in all_vms if candidate.ref == made["vm"]
            )
        if vm is None or vm.identity != identity:
            return
        left = remove_identity(vcenter, vm.ref, identity, request)
    if left is not None:
        raise left.error
