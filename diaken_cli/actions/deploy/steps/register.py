"""Reserve the name and the address: a host that is not active yet, and its line."""

from pathlib import Path

from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.steps.own import write_hosts_file
from diaken_cli.actions.inventory import write_block
from diaken_cli.errors import AccessError, Conflict, OperationFailed
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.journal import Facts, Step
from diaken_cli.services import hosts_file
from diaken_cli.store.records import HostValues


def _find_host(deploy: Deploy) -> Facts | None:
    host = deploy.context.store.deploys.host(deploy.run.id)
    return None if host is None else _registered(deploy, host.id)


def _register(deploy: Deploy) -> Facts:
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
    return _registered(deploy, host.id)


def _removed(what: str) -> OperationFailed:
    return OperationFailed(
        f"{what} was removed from the inventory meanwhile",
        code="gone",
        hint="Add it again, or name another one, and repeat the deploy.",
    )


def _registered(deploy: Deploy, host_id: int) -> Facts:
    write_hosts_file(deploy)
    facts = {"host_id": host_id}
    deploy.facts["register"] = facts
    return facts


def _unregister(deploy: Deploy) -> None:
    _remove_line(deploy)  # first: what has a line keeps its name and address reserved
    deploy.context.store.deploys.unregister(deploy.run.id)
    write_hosts_file(deploy)  # for another process may have written it anew in between


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
        return f"whether the line of {name} is still in {path} is not known: {unreadable.message}"
    return f"the line of {name} is still in {path}: {refused.message}" if has_line else None


REGISTER = Step[Deploy, DeployRequest](
    name="register",
    describe=lambda r: (
        f"add host {r.name} ({r.ip}) to {r.environment}" + (f", group {r.group}" if r.group else "")
    ),
    find=_find_host,
    do=_register,
    undo=_unregister,
)
